// Made from /api/openapi.json by `npm run client:types`: not to be changed by hand.

/** Every call of the service by method and path: what it takes, and what it answers where it succeeds. */
export interface Operations {
  readonly 'POST /api/v1/auth/login': {
    readonly body: {
      readonly email: string
      readonly password: string
      readonly totp?: string | undefined
    }
    readonly answer: {
      readonly access_token: string
      readonly token_type: 'bearer'
      readonly expires_in: number
    }
  }
  readonly 'GET /t/{ticket}': {
    readonly path: {
      readonly ticket: string
    }
    readonly answer: undefined
  }
  readonly 'POST /t/{ticket}': {
    readonly path: {
      readonly ticket: string
    }
    readonly answer: {
      readonly id: string
      readonly key: string
      readonly upload_status: string
      readonly partNumber?: number | undefined
      readonly size?: number | undefined
      readonly sha256?: string | undefined
    }
  }
  readonly 'PUT /t/{ticket}': {
    readonly path: {
      readonly ticket: string
    }
    readonly answer: {
      readonly id: string
      readonly key: string
      readonly upload_status: string
      readonly partNumber?: number | undefined
      readonly size?: number | undefined
      readonly sha256?: string | undefined
    }
  }
  readonly 'GET /api/health/': {
    readonly answer: {
      readonly status: 'healthy'
    }
  }
  readonly 'GET /health/live': {
    readonly answer: {
      readonly status: 'live'
    }
  }
  readonly 'GET /health/ready': {
    readonly answer: {
      readonly status: 'ready' | 'unavailable'
      readonly components?: Readonly<Record<string, boolean>> | undefined
    }
  }
  readonly 'GET /metrics': {
    readonly answer: undefined
  }
  readonly 'POST /auth/token': {
    readonly body: {
      readonly username: string
      readonly password: string
      readonly totp?: string | undefined
    }
    readonly answer: {
      readonly access_token: string
      readonly token_type: 'bearer'
      readonly expires_in: number
    }
  }
  readonly 'POST /api/files/upload': {
    readonly answer: {
      readonly file_id: string
      readonly filename: string
      readonly content_type: string
      readonly size: number
      readonly sha256: string
      readonly created_at: string
    }
  }
  readonly 'POST /api/files/upload/batch': {
    readonly answer: {
      readonly results: readonly Readonly<Record<string, unknown>>[]
    }
  }
  readonly 'POST /api/files/check': {
    readonly body: {
      readonly sha256: string
      readonly size: number
    }
    readonly answer: {
      readonly exists: boolean
      readonly file_id?: string | undefined
    }
  }
  readonly 'GET /api/files/user': {
    readonly query: {
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
      readonly deleted?: boolean | undefined
    }
    readonly answer: {
      readonly files: readonly {
        readonly file_id: string
        readonly filename: string
        readonly content_type: string
        readonly size: number
        readonly sha256: string
        readonly label: string | null
        readonly notes: string | null
        readonly created_at: string
        readonly updated_at: string
        readonly version: number
      }[]
      readonly damaged?: readonly string[] | undefined
      readonly next_cursor: string | null
    }
  }
  readonly 'GET /api/files/{file_id}': {
    readonly path: {
      readonly file_id: string
    }
    readonly query: {
      readonly view?: boolean | undefined
      readonly version?: string | undefined
    }
    readonly answer: undefined
  }
  readonly 'DELETE /api/files/{file_id}': {
    readonly path: {
      readonly file_id: string
    }
    readonly answer: {
      readonly file_id: string
      readonly deleted_at: string
      readonly purge_after: string
    }
  }
  readonly 'GET /api/files/{file_id}/metadata': {
    readonly path: {
      readonly file_id: string
    }
    readonly answer: {
      readonly file_id: string
      readonly filename: string
      readonly content_type: string
      readonly size: number
      readonly sha256: string
      readonly label: string | null
      readonly notes: string | null
      readonly created_at: string
      readonly updated_at: string
      readonly version: number
    }
  }
  readonly 'PATCH /api/files/{file_id}/metadata': {
    readonly path: {
      readonly file_id: string
    }
    readonly body: {
      readonly filename?: string | undefined
      readonly label?: string | null | undefined
      readonly notes?: string | null | undefined
    }
    readonly answer: {
      readonly file_id: string
      readonly filename: string
      readonly content_type: string
      readonly size: number
      readonly sha256: string
      readonly label: string | null
      readonly notes: string | null
      readonly created_at: string
      readonly updated_at: string
      readonly version: number
    }
  }
  readonly 'DELETE /api/files/{file_id}/delete': {
    readonly path: {
      readonly file_id: string
    }
    readonly answer: {
      readonly file_id: string
      readonly deleted_at: string
      readonly purge_after: string
    }
  }
  readonly 'POST /api/files/{file_id}/restore': {
    readonly path: {
      readonly file_id: string
    }
    readonly answer: {
      readonly file_id: string
      readonly filename: string
      readonly content_type: string
      readonly size: number
      readonly sha256: string
      readonly label: string | null
      readonly notes: string | null
      readonly created_at: string
      readonly updated_at: string
      readonly version: number
    }
  }
  readonly 'PUT /api/files/{file_id}/content': {
    readonly path: {
      readonly file_id: string
    }
    readonly answer: {
      readonly file_id: string
      readonly filename: string
      readonly content_type: string
      readonly size: number
      readonly sha256: string
      readonly label: string | null
      readonly notes: string | null
      readonly created_at: string
      readonly updated_at: string
      readonly version: number
    }
  }
  readonly 'GET /api/files/{file_id}/versions': {
    readonly path: {
      readonly file_id: string
    }
    readonly answer: {
      readonly versions: readonly {
        readonly version: number
        readonly filename: string
        readonly content_type: string
        readonly size: number
        readonly sha256: string
        readonly created_at: string
        readonly created_by: string
      }[]
    }
  }
  readonly 'GET /api/files/{file_id}/access-log': {
    readonly path: {
      readonly file_id: string
    }
    readonly query: {
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
    }
    readonly answer: {
      readonly entries: readonly {
        readonly at: string
        readonly last_at: string
        readonly requests: number
        readonly action: string
        readonly outcome: string
        readonly reason: string | null
        readonly actor_id: string
        readonly on_behalf_of: string | null
        readonly roles: readonly string[]
        readonly file_id: string | null
        readonly subject_id: string | null
        readonly version: number | null
        readonly bytes: number | null
        readonly grant_id: string | null
        readonly emergency_id: string | null
        readonly basis: string | null
        readonly purpose: string | null
        readonly ip: string
        readonly user_agent: string
        readonly request_id: string
      }[]
      readonly next_cursor: string | null
    }
  }
  readonly 'POST /api/files/upload/medical-record': {
    readonly answer: {
      readonly record_id: string
      readonly patient_id: string
      readonly medical_record_type_id: string
      readonly uploader_id: string
      readonly file_id: string
      readonly filename: string
      readonly content_type: string
      readonly size: number
      readonly sha256: string
      readonly label: string | null
      readonly notes: string | null
      readonly created_at: string
      readonly updated_at: string
      readonly version: number
      readonly grants: readonly {
        readonly user_id: string
        readonly basis: string
        readonly can_download: boolean
        readonly can_share: boolean
        readonly expires_at: string | null
        readonly purpose: string | null
        readonly granted_by: string
        readonly granted_at: string
      }[]
    }
  }
  readonly 'GET /api/files/medical-records': {
    readonly query: {
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
      readonly patient_id?: string | undefined
      readonly type?: string | undefined
      readonly from?: string | undefined
      readonly to?: string | undefined
    }
    readonly answer: {
      readonly records: readonly {
        readonly record_id: string
        readonly patient_id: string
        readonly medical_record_type_id: string
        readonly uploader_id: string
        readonly file_id: string
        readonly filename: string
        readonly content_type: string
        readonly size: number
        readonly sha256: string
        readonly label: string | null
        readonly notes: string | null
        readonly created_at: string
        readonly updated_at: string
        readonly version: number
      }[]
      readonly damaged?: readonly string[] | undefined
      readonly next_cursor: string | null
    }
  }
  readonly 'GET /api/files/medical-records/{file_id}/download': {
    readonly path: {
      readonly file_id: string
    }
    readonly query: {
      readonly view?: boolean | undefined
      readonly version?: string | undefined
    }
    readonly answer: undefined
  }
  readonly 'GET /api/files/medical-records/{file_id}/metadata': {
    readonly path: {
      readonly file_id: string
    }
    readonly answer: {
      readonly record_id: string
      readonly patient_id: string
      readonly medical_record_type_id: string
      readonly uploader_id: string
      readonly file_id: string
      readonly filename: string
      readonly content_type: string
      readonly size: number
      readonly sha256: string
      readonly label: string | null
      readonly notes: string | null
      readonly created_at: string
      readonly updated_at: string
      readonly version: number
    }
  }
  readonly 'PATCH /api/files/medical-records/{file_id}/metadata': {
    readonly path: {
      readonly file_id: string
    }
    readonly body: {
      readonly filename?: string | undefined
      readonly label?: string | null | undefined
      readonly notes?: string | null | undefined
    }
    readonly answer: {
      readonly record_id: string
      readonly patient_id: string
      readonly medical_record_type_id: string
      readonly uploader_id: string
      readonly file_id: string
      readonly filename: string
      readonly content_type: string
      readonly size: number
      readonly sha256: string
      readonly label: string | null
      readonly notes: string | null
      readonly created_at: string
      readonly updated_at: string
      readonly version: number
    }
  }
  readonly 'PUT /api/files/medical-records/{file_id}/content': {
    readonly path: {
      readonly file_id: string
    }
    readonly answer: {
      readonly record_id: string
      readonly patient_id: string
      readonly medical_record_type_id: string
      readonly uploader_id: string
      readonly file_id: string
      readonly filename: string
      readonly content_type: string
      readonly size: number
      readonly sha256: string
      readonly label: string | null
      readonly notes: string | null
      readonly created_at: string
      readonly updated_at: string
      readonly version: number
    }
  }
  readonly 'GET /api/files/medical-records/{file_id}/versions': {
    readonly path: {
      readonly file_id: string
    }
    readonly answer: {
      readonly versions: readonly {
        readonly version: number
        readonly filename: string
        readonly content_type: string
        readonly size: number
        readonly sha256: string
        readonly created_at: string
        readonly created_by: string
      }[]
    }
  }
  readonly 'DELETE /api/files/medical-records/{file_id}/delete': {
    readonly path: {
      readonly file_id: string
    }
    readonly answer: {
      readonly file_id: string
      readonly deleted_at: string
      readonly purge_after: string
    }
  }
  readonly 'POST /api/files/medical-records/{file_id}/restore': {
    readonly path: {
      readonly file_id: string
    }
    readonly answer: {
      readonly file_id: string
    }
  }
  readonly 'GET /api/files/medical-records/{file_id}/grants': {
    readonly path: {
      readonly file_id: string
    }
    readonly answer: {
      readonly grants: readonly {
        readonly user_id: string
        readonly basis: string
        readonly can_download: boolean
        readonly can_share: boolean
        readonly expires_at: string | null
        readonly purpose: string | null
        readonly granted_by: string
        readonly granted_at: string
      }[]
    }
  }
  readonly 'POST /api/files/medical-records/{file_id}/grants': {
    readonly path: {
      readonly file_id: string
    }
    readonly body: {
      readonly user_id: string | number
      readonly can_download?: boolean | undefined
      readonly can_share?: boolean | undefined
      readonly expires_at?: string | null | undefined
      readonly purpose?: string | null | undefined
    }
    readonly answer: {
      readonly user_id: string
      readonly basis: string
      readonly can_download: boolean
      readonly can_share: boolean
      readonly expires_at: string | null
      readonly purpose: string | null
      readonly granted_by: string
      readonly granted_at: string
    }
  }
  readonly 'DELETE /api/files/medical-records/{file_id}/grants/{user_id}': {
    readonly path: {
      readonly file_id: string
      readonly user_id: string
    }
    readonly answer: {
      readonly file_id: string
      readonly user_id: string
      readonly revoked_at: string
    }
  }
  readonly 'GET /api/files/medical-records/{file_id}/access-log': {
    readonly path: {
      readonly file_id: string
    }
    readonly query: {
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
    }
    readonly answer: {
      readonly entries: readonly {
        readonly at: string
        readonly last_at: string
        readonly requests: number
        readonly action: string
        readonly outcome: string
        readonly reason: string | null
        readonly actor_id: string
        readonly on_behalf_of: string | null
        readonly roles: readonly string[]
        readonly file_id: string | null
        readonly subject_id: string | null
        readonly version: number | null
        readonly bytes: number | null
        readonly grant_id: string | null
        readonly emergency_id: string | null
        readonly basis: string | null
        readonly purpose: string | null
        readonly ip: string
        readonly user_agent: string
        readonly request_id: string
      }[]
      readonly next_cursor: string | null
    }
  }
  readonly 'GET /api/patients/me/access-log': {
    readonly query: {
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
      readonly from?: string | undefined
      readonly to?: string | undefined
      readonly format?: 'json' | 'csv' | 'pdf' | undefined
    }
    readonly answer: {
      readonly entries: readonly {
        readonly at: string
        readonly last_at: string
        readonly requests: number
        readonly action: string
        readonly outcome: string
        readonly reason: string | null
        readonly actor_id: string
        readonly on_behalf_of: string | null
        readonly roles: readonly string[]
        readonly file_id: string | null
        readonly subject_id: string | null
        readonly version: number | null
        readonly bytes: number | null
        readonly grant_id: string | null
        readonly emergency_id: string | null
        readonly basis: string | null
        readonly purpose: string | null
        readonly ip: string
        readonly user_agent: string
        readonly request_id: string
      }[]
      readonly next_cursor: string | null
    }
  }
  readonly 'GET /api/patients/me/disclosures': {
    readonly query: {
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
      readonly from?: string | undefined
      readonly to?: string | undefined
      readonly format?: 'json' | 'csv' | 'pdf' | undefined
    }
    readonly answer: {
      readonly disclosures: readonly {
        readonly at: string
        readonly last_at: string
        readonly requests: number
        readonly action: string
        readonly recipient_id: string
        readonly recipient_roles: readonly string[]
        readonly disclosed_by: string | null
        readonly on_behalf_of: string | null
        readonly file_id: string | null
        readonly version: number | null
        readonly medical_record_type_id: string | null
        readonly basis: string | null
        readonly grant_id: string | null
        readonly emergency_id: string | null
        readonly has_purpose: boolean
        readonly purpose: string | null
      }[]
      readonly next_cursor: string | null
    }
  }
  readonly 'GET /api/patients/{patient_id}/disclosures': {
    readonly path: {
      readonly patient_id: string
    }
    readonly query: {
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
      readonly from?: string | undefined
      readonly to?: string | undefined
      readonly format?: 'json' | 'csv' | 'pdf' | undefined
    }
    readonly answer: {
      readonly disclosures: readonly {
        readonly at: string
        readonly last_at: string
        readonly requests: number
        readonly action: string
        readonly recipient_id: string
        readonly recipient_roles: readonly string[]
        readonly disclosed_by: string | null
        readonly on_behalf_of: string | null
        readonly file_id: string | null
        readonly version: number | null
        readonly medical_record_type_id: string | null
        readonly basis: string | null
        readonly grant_id: string | null
        readonly emergency_id: string | null
        readonly has_purpose: boolean
        readonly purpose: string | null
      }[]
      readonly next_cursor: string | null
    }
  }
  readonly 'GET /api/medical-record-types': {
    readonly answer: {
      readonly types: readonly {
        readonly id: string
        readonly name: string
        readonly allowed_types: readonly string[]
        readonly max_size_mb: number | null
        readonly retention_days: number | null
        readonly sensitive: boolean
      }[]
    }
  }
  readonly 'POST /api/medical-record-types': {
    readonly body: {
      readonly name: string
      readonly allowed_types?: readonly string[] | undefined
      readonly max_size_mb?: number | null | undefined
      readonly retention_days?: number | null | undefined
      readonly sensitive?: boolean | undefined
    }
    readonly answer: {
      readonly id: string
      readonly name: string
      readonly allowed_types: readonly string[]
      readonly max_size_mb: number | null
      readonly retention_days: number | null
      readonly sensitive: boolean
    }
  }
  readonly 'PUT /api/medical-record-types/{type_id}': {
    readonly path: {
      readonly type_id: string
    }
    readonly body: {
      readonly name: string
      readonly allowed_types?: readonly string[] | undefined
      readonly max_size_mb?: number | null | undefined
      readonly retention_days?: number | null | undefined
      readonly sensitive?: boolean | undefined
    }
    readonly answer: {
      readonly id: string
      readonly name: string
      readonly allowed_types: readonly string[]
      readonly max_size_mb: number | null
      readonly retention_days: number | null
      readonly sensitive: boolean
    }
  }
  readonly 'DELETE /api/medical-record-types/{type_id}': {
    readonly path: {
      readonly type_id: string
    }
    readonly answer: {
      readonly id: string
    }
  }
  readonly 'GET /api/assignments': {
    readonly query: {
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
      readonly clinician_id?: string | undefined
      readonly patient_id?: string | undefined
    }
    readonly answer: {
      readonly assignments: readonly {
        readonly assignment_id: string
        readonly clinician_id: string
        readonly patient_id: string
        readonly starts_at: string
        readonly ends_at: string | null
        readonly created_by: string
      }[]
      readonly next_cursor: string | null
    }
  }
  readonly 'POST /api/assignments': {
    readonly body: {
      readonly clinician_id: string | number
      readonly patient_id: string | number
      readonly starts_at?: string | undefined
      readonly ends_at?: string | undefined
    }
    readonly answer: {
      readonly assignment_id: string
      readonly clinician_id: string
      readonly patient_id: string
      readonly starts_at: string
      readonly ends_at: string | null
      readonly created_by: string
    }
  }
  readonly 'DELETE /api/assignments': {
    readonly query: {
      readonly clinician_id: string
      readonly patient_id: string
    }
    readonly answer: {
      readonly clinician_id: string
      readonly patient_id: string
      readonly ends_at: string
    }
  }
  readonly 'POST /api/tickets': {
    readonly body: {
      readonly file_id: string
      readonly action: 'view' | 'download'
      readonly expiry_seconds?: number | undefined
    }
    readonly answer: {
      readonly ticket_id: string
      readonly url: string
      readonly expires_at: string
    }
  }
  readonly 'DELETE /api/tickets/{ticket_id}': {
    readonly path: {
      readonly ticket_id: string
    }
    readonly answer: undefined
  }
  readonly 'POST /api/docs/presign-upload': {
    readonly body: {
      readonly patientId?: string | undefined
      readonly clinicId?: string | undefined
      readonly medicalRecordTypeId?: string | undefined
      readonly filename: string
      readonly contentType: string
      readonly size?: number | undefined
      readonly sha256?: string | undefined
    }
    readonly answer: {
      readonly id: string
      readonly key: string
      readonly url: string
      readonly headers: Readonly<Record<string, string>>
      readonly expires_at: string
    }
  }
  readonly 'POST /presign-upload': {
    readonly body: {
      readonly filename: string
      readonly content_type: string
      readonly size?: number | undefined
    }
    readonly answer: {
      readonly URL: string
      readonly key: string
      readonly expiry_timestamp: string
      readonly id: string
    }
  }
  readonly 'POST /api/docs/confirm': {
    readonly body: {
      readonly key: string
      readonly patientId?: string | undefined
      readonly contentType: string
      readonly size: number
      readonly sha256?: string | undefined
    }
    readonly answer: {
      readonly id: string
      readonly key: string
      readonly patientId: string | null
      readonly filename: string
      readonly contentType: string
      readonly size: number
      readonly sha256: string
      readonly uploadedBy: string
      readonly createdAt: string
    }
  }
  readonly 'POST /api/docs/multipart': {
    readonly body: {
      readonly patientId?: string | undefined
      readonly clinicId?: string | undefined
      readonly medicalRecordTypeId?: string | undefined
      readonly filename: string
      readonly contentType: string
      readonly size?: number | undefined
      readonly sha256?: string | undefined
    }
    readonly answer: {
      readonly upload_id: string
      readonly id: string
      readonly key: string
      readonly parts: readonly {
        readonly partNumber: number
        readonly size: number
      }[]
      readonly minPartSize: number
      readonly maxPartSize: number
      readonly maxParts: number
      readonly expires_at: string
    }
  }
  readonly 'POST /api/docs/multipart/{upload_id}/parts': {
    readonly path: {
      readonly upload_id: string
    }
    readonly body: {
      readonly partNumbers: readonly number[]
    }
    readonly answer: {
      readonly parts: readonly {
        readonly partNumber: number
        readonly url: string
        readonly headers: Readonly<Record<string, string>>
        readonly expires_at: string
      }[]
    }
  }
  readonly 'GET /api/docs/multipart/{upload_id}': {
    readonly path: {
      readonly upload_id: string
    }
    readonly answer: {
      readonly upload_id: string
      readonly id: string
      readonly key: string
      readonly parts: readonly {
        readonly partNumber: number
        readonly size: number
      }[]
      readonly minPartSize: number
      readonly maxPartSize: number
      readonly maxParts: number
      readonly expires_at: string
    }
  }
  readonly 'DELETE /api/docs/multipart/{upload_id}': {
    readonly path: {
      readonly upload_id: string
    }
    readonly answer: undefined
  }
  readonly 'POST /api/docs/multipart/{upload_id}/complete': {
    readonly path: {
      readonly upload_id: string
    }
    readonly body: {
      readonly parts?:
        | readonly {
            readonly partNumber: number
          }[]
        | undefined
      readonly size?: number | undefined
      readonly sha256?: string | undefined
    } | null
    readonly answer: {
      readonly id: string
      readonly key: string
      readonly patientId: string | null
      readonly filename: string
      readonly contentType: string
      readonly size: number
      readonly sha256: string
      readonly uploadedBy: string
      readonly createdAt: string
    }
  }
  readonly 'GET /api/docs': {
    readonly query: {
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
      readonly patientId?: string | undefined
      readonly clinicId?: string | undefined
    }
    readonly answer: {
      readonly documents: readonly {
        readonly id: string
        readonly key: string
        readonly patientId: string | null
        readonly filename: string
        readonly contentType: string
        readonly size: number
        readonly sha256: string
        readonly uploadedBy: string
        readonly createdAt: string
      }[]
      readonly damaged?: readonly string[] | undefined
      readonly next_cursor: string | null
    }
  }
  readonly 'GET /api/docs/{id}/download': {
    readonly path: {
      readonly id: string
    }
    readonly query: {
      readonly redirect?: string | undefined
    }
    readonly answer: {
      readonly url: string
      readonly expires_at: string
    }
  }
  readonly 'GET /api/v1/s3/buckets': {
    readonly answer: readonly {
      readonly name: string
      readonly can_read: boolean
      readonly can_write: boolean
      readonly can_delete: boolean
      readonly can_list: boolean
    }[]
  }
  readonly 'GET /api/v1/s3/list/{bucket}': {
    readonly path: {
      readonly bucket: string
    }
    readonly query: {
      readonly prefix?: string | undefined
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
    }
    readonly answer: {
      readonly objects: readonly {
        readonly key: string
        readonly size: number
        readonly last_modified: string
        readonly content_type: string
      }[]
      readonly common_prefixes: readonly string[]
      readonly damaged?: readonly string[] | undefined
      readonly next_cursor: string | null
    }
  }
  readonly 'POST /api/v1/s3/presigned-url': {
    readonly body: {
      readonly bucket_name: string
      readonly object_key: string
      readonly operation: 'upload' | 'download'
      readonly content_type?: string | null | undefined
      readonly size?: number | null | undefined
      readonly expiry_seconds?: number | null | undefined
    }
    readonly answer: {
      readonly presigned_url: string
      readonly method: 'PUT' | 'GET'
      readonly headers: Readonly<Record<string, string>>
      readonly fields: Readonly<Record<string, string>>
      readonly expires_at: string
    }
  }
  readonly 'DELETE /api/v1/s3/object/{bucket}/{object_key}': {
    readonly path: {
      readonly bucket: string
      readonly object_key: string
    }
    readonly answer: {
      readonly message: string
      readonly deleted_at: string
      readonly purge_after: string
    }
  }
  readonly 'POST /api/emergency-access': {
    readonly body: {
      readonly patient_id: string | number
      readonly reason_code:
        | 'life_threatening'
        | 'urgent_treatment'
        | 'patient_unable_to_consent'
        | 'other'
      readonly reason: string
      readonly minutes: number
      readonly sensitive_types?: readonly (string | number)[] | undefined
    }
    readonly answer: {
      readonly emergency_id: string
      readonly clinician_id: string
      readonly patient_id: string
      readonly reason_code: string
      readonly reason: string | null
      readonly intact: boolean | null
      readonly sensitive_types: readonly string[]
      readonly status: string
      readonly requested_at: string
      readonly ends_at: string
      readonly ended_at: string | null
      readonly ended_by: string | null
      readonly records: number
      readonly reviewed_at: string | null
      readonly reviewed_by: string | null
      readonly finding: string | null
      readonly review_note: string | null
    }
  }
  readonly 'GET /api/emergency-access': {
    readonly query: {
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
      readonly status?: 'pending' | 'open' | 'to_review' | 'reviewed' | 'all' | undefined
      readonly patient_id?: string | undefined
    }
    readonly answer: {
      readonly emergencies: readonly {
        readonly emergency_id: string
        readonly clinician_id: string
        readonly patient_id: string
        readonly reason_code: string
        readonly reason: string | null
        readonly intact: boolean | null
        readonly sensitive_types: readonly string[]
        readonly status: string
        readonly requested_at: string
        readonly ends_at: string
        readonly ended_at: string | null
        readonly ended_by: string | null
        readonly records: number
        readonly reviewed_at: string | null
        readonly reviewed_by: string | null
        readonly finding: string | null
        readonly review_note: string | null
      }[]
      readonly next_cursor: string | null
    }
  }
  readonly 'GET /api/emergency-access/{emergency_id}': {
    readonly path: {
      readonly emergency_id: string
    }
    readonly answer: {
      readonly emergency_id: string
      readonly clinician_id: string
      readonly patient_id: string
      readonly reason_code: string
      readonly reason: string | null
      readonly intact: boolean | null
      readonly sensitive_types: readonly string[]
      readonly status: string
      readonly requested_at: string
      readonly ends_at: string
      readonly ended_at: string | null
      readonly ended_by: string | null
      readonly records: number
      readonly reviewed_at: string | null
      readonly reviewed_by: string | null
      readonly finding: string | null
      readonly review_note: string | null
    }
  }
  readonly 'GET /api/emergency-access/{emergency_id}/records': {
    readonly path: {
      readonly emergency_id: string
    }
    readonly query: {
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
      readonly type?: string | undefined
    }
    readonly answer: {
      readonly records: readonly {
        readonly record_id: string
        readonly patient_id: string
        readonly medical_record_type_id: string
        readonly uploader_id: string
        readonly file_id: string
        readonly filename: string
        readonly content_type: string
        readonly size: number
        readonly sha256: string
        readonly label: string | null
        readonly notes: string | null
        readonly created_at: string
        readonly updated_at: string
        readonly version: number
      }[]
      readonly damaged?: readonly string[] | undefined
      readonly next_cursor: string | null
    }
  }
  readonly 'POST /api/emergency-access/{emergency_id}/end': {
    readonly path: {
      readonly emergency_id: string
    }
    readonly answer: {
      readonly emergency_id: string
      readonly clinician_id: string
      readonly patient_id: string
      readonly reason_code: string
      readonly reason: string | null
      readonly intact: boolean | null
      readonly sensitive_types: readonly string[]
      readonly status: string
      readonly requested_at: string
      readonly ends_at: string
      readonly ended_at: string | null
      readonly ended_by: string | null
      readonly records: number
      readonly reviewed_at: string | null
      readonly reviewed_by: string | null
      readonly finding: string | null
      readonly review_note: string | null
    }
  }
  readonly 'POST /api/emergency-access/{emergency_id}/review': {
    readonly path: {
      readonly emergency_id: string
    }
    readonly body: {
      readonly finding: 'justified' | 'unjustified'
      readonly note?: string | undefined
    }
    readonly answer: {
      readonly emergency_id: string
      readonly clinician_id: string
      readonly patient_id: string
      readonly reason_code: string
      readonly reason: string | null
      readonly intact: boolean | null
      readonly sensitive_types: readonly string[]
      readonly status: string
      readonly requested_at: string
      readonly ends_at: string
      readonly ended_at: string | null
      readonly ended_by: string | null
      readonly records: number
      readonly reviewed_at: string | null
      readonly reviewed_by: string | null
      readonly finding: string | null
      readonly review_note: string | null
    }
  }
  readonly 'GET /api/v1/audit/logs': {
    readonly query: {
      readonly user_id?: string | undefined
      readonly patient_id?: string | undefined
      readonly action?: string | undefined
      readonly outcome?: 'success' | 'denied' | 'failed' | undefined
      readonly resource?: string | undefined
      readonly from?: string | undefined
      readonly to?: string | undefined
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
      readonly format?: 'json' | 'csv' | 'ndjson' | 'fhir' | undefined
    }
    readonly answer: {
      readonly events: readonly {
        readonly event_id: string
        readonly at: string
        readonly actor_id: string
        readonly on_behalf_of: string | null
        readonly roles: readonly string[]
        readonly action: string
        readonly outcome: string
        readonly reason: string | null
        readonly file_id: string | null
        readonly version: number | null
        readonly patient_id: string | null
        readonly subject_id: string | null
        readonly grant_id: string | null
        readonly emergency_id: string | null
        readonly bytes: number | null
        readonly read_session: string | null
        readonly ip: string
        readonly user_agent: string
        readonly request_id: string
      }[]
      readonly next_cursor: string | null
    }
  }
  readonly 'GET /api/v1/audit/my-activity': {
    readonly query: {
      readonly patient_id?: string | undefined
      readonly action?: string | undefined
      readonly outcome?: 'success' | 'denied' | 'failed' | undefined
      readonly resource?: string | undefined
      readonly from?: string | undefined
      readonly to?: string | undefined
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
    }
    readonly answer: {
      readonly events: readonly {
        readonly event_id: string
        readonly at: string
        readonly actor_id: string
        readonly on_behalf_of: string | null
        readonly roles: readonly string[]
        readonly action: string
        readonly outcome: string
        readonly reason: string | null
        readonly file_id: string | null
        readonly version: number | null
        readonly patient_id: string | null
        readonly subject_id: string | null
        readonly grant_id: string | null
        readonly emergency_id: string | null
        readonly bytes: number | null
        readonly read_session: string | null
        readonly ip: string
        readonly user_agent: string
        readonly request_id: string
      }[]
      readonly next_cursor: string | null
    }
  }
  readonly 'GET /api/v1/audit/stats': {
    readonly query: {
      readonly from?: string | undefined
      readonly to?: string | undefined
    }
    readonly answer: {
      readonly from: string
      readonly to: string
      readonly total: number
      readonly by_action: Readonly<Record<string, number>>
      readonly by_outcome: Readonly<Record<string, number>>
      readonly days: readonly {
        readonly day: string
        readonly action: string
        readonly outcome: string
        readonly events: number
      }[]
    }
  }
  readonly 'GET /api/v1/audit/user-stats/{user_id}': {
    readonly path: {
      readonly user_id: string
    }
    readonly query: {
      readonly from?: string | undefined
      readonly to?: string | undefined
    }
    readonly answer: {
      readonly from: string
      readonly to: string
      readonly total: number
      readonly by_action: Readonly<Record<string, number>>
      readonly by_outcome: Readonly<Record<string, number>>
      readonly days: readonly {
        readonly day: string
        readonly action: string
        readonly outcome: string
        readonly events: number
      }[]
    }
  }
  readonly 'POST /api/v1/audit/verify': {
    readonly answer: {
      readonly clean: boolean
      readonly events: number
      readonly seals: number
      readonly unsealed: number
      readonly unsigned: number
      readonly anchors: number
      readonly head: {
        readonly seal: number
        readonly sealed_at: string | null
      }
      readonly counts: Readonly<Record<string, number>>
      readonly findings: readonly Readonly<Record<string, unknown>>[]
    }
  }
  readonly 'GET /api/v1/auth/me': {
    readonly answer: {
      readonly id: string
      readonly email: string | null
      readonly full_name: string | null
      readonly is_active: boolean
      readonly is_admin: boolean
      readonly roles: readonly string[]
      readonly has_totp: boolean
      readonly created_at: string | null
      readonly updated_at: string | null
      readonly last_login: string | null
    }
  }
  readonly 'POST /api/v1/auth/renew': {
    readonly answer: {
      readonly access_token: string
      readonly token_type: 'bearer'
      readonly expires_in: number
    }
  }
  readonly 'POST /api/v1/auth/logout': {
    readonly query: {
      readonly everywhere?: boolean | undefined
    }
    readonly answer: {
      readonly message: string
    }
  }
  readonly 'POST /api/v1/auth/change-password': {
    readonly body: {
      readonly current_password: string
      readonly new_password: string
    }
    readonly answer: {
      readonly access_token: string
      readonly token_type: 'bearer'
      readonly expires_in: number
    }
  }
  readonly 'POST /api/v1/auth/totp': {
    readonly answer: {
      readonly secret: string
      readonly otpauth_url: string
    }
  }
  readonly 'DELETE /api/v1/auth/totp': {
    readonly body: {
      readonly code: string
    }
    readonly answer: {
      readonly message: string
    }
  }
  readonly 'POST /api/v1/auth/totp/confirm': {
    readonly body: {
      readonly code: string
    }
    readonly answer: {
      readonly message: string
    }
  }
  readonly 'GET /api/v1/users': {
    readonly query: {
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
    }
    readonly answer: {
      readonly users: readonly {
        readonly id: string
        readonly email: string | null
        readonly full_name: string | null
        readonly is_active: boolean
        readonly is_admin: boolean
        readonly roles: readonly string[]
        readonly has_totp: boolean
        readonly created_at: string | null
        readonly updated_at: string | null
        readonly last_login: string | null
      }[]
      readonly damaged?: readonly string[] | undefined
      readonly next_cursor: string | null
    }
  }
  readonly 'POST /api/v1/users': {
    readonly body: {
      readonly email: string
      readonly password: string
      readonly full_name?: string | null | undefined
      readonly is_active?: boolean | undefined
      readonly is_admin?: boolean | undefined
      readonly roles?:
        | readonly (
            | 'patient'
            | 'clinician'
            | 'auditor'
            | 'admin'
            | 'service'
            | 'DOC_UPL'
            | 'DOC_UPLALL'
            | 'DOC_VIEW'
            | 'DOC_VIEWALL'
            | 'BUY'
            | 'SEL'
            | 'ADM'
          )[]
        | undefined
    }
    readonly answer: {
      readonly id: string
      readonly email: string | null
      readonly full_name: string | null
      readonly is_active: boolean
      readonly is_admin: boolean
      readonly roles: readonly string[]
      readonly has_totp: boolean
      readonly created_at: string | null
      readonly updated_at: string | null
      readonly last_login: string | null
    }
  }
  readonly 'GET /api/v1/users/{user_id}': {
    readonly path: {
      readonly user_id: string
    }
    readonly answer: {
      readonly id: string
      readonly email: string | null
      readonly full_name: string | null
      readonly is_active: boolean
      readonly is_admin: boolean
      readonly roles: readonly string[]
      readonly has_totp: boolean
      readonly created_at: string | null
      readonly updated_at: string | null
      readonly last_login: string | null
    }
  }
  readonly 'PUT /api/v1/users/{user_id}': {
    readonly path: {
      readonly user_id: string
    }
    readonly body: {
      readonly email?: string | undefined
      readonly password?: string | undefined
      readonly has_totp?: false | undefined
      readonly full_name?: string | null | undefined
      readonly is_active?: boolean | undefined
      readonly is_admin?: boolean | undefined
      readonly roles?:
        | readonly (
            | 'patient'
            | 'clinician'
            | 'auditor'
            | 'admin'
            | 'service'
            | 'DOC_UPL'
            | 'DOC_UPLALL'
            | 'DOC_VIEW'
            | 'DOC_VIEWALL'
            | 'BUY'
            | 'SEL'
            | 'ADM'
          )[]
        | undefined
    }
    readonly answer: {
      readonly id: string
      readonly email: string | null
      readonly full_name: string | null
      readonly is_active: boolean
      readonly is_admin: boolean
      readonly roles: readonly string[]
      readonly has_totp: boolean
      readonly created_at: string | null
      readonly updated_at: string | null
      readonly last_login: string | null
    }
  }
  readonly 'DELETE /api/v1/users/{user_id}': {
    readonly path: {
      readonly user_id: string
    }
    readonly answer: {
      readonly id: string
      readonly email: string | null
      readonly full_name: string | null
      readonly is_active: boolean
      readonly is_admin: boolean
      readonly roles: readonly string[]
      readonly has_totp: boolean
      readonly created_at: string | null
      readonly updated_at: string | null
      readonly last_login: string | null
    }
  }
  readonly 'GET /api/v1/permissions': {
    readonly query: {
      readonly user_id?: string | undefined
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
    }
    readonly answer: {
      readonly permissions: readonly {
        readonly id: string
        readonly user_id: string
        readonly bucket_name: string
        readonly prefix: string
        readonly can_read: boolean
        readonly can_write: boolean
        readonly can_delete: boolean
        readonly can_list: boolean
        readonly description: string | null
        readonly created_at: string
        readonly updated_at: string
      }[]
      readonly next_cursor: string | null
    }
  }
  readonly 'POST /api/v1/permissions': {
    readonly body: {
      readonly user_id: string | number
      readonly bucket_name: string
      readonly prefix?: string | undefined
      readonly can_read?: boolean | undefined
      readonly can_write?: boolean | undefined
      readonly can_delete?: boolean | undefined
      readonly can_list?: boolean | undefined
      readonly description?: string | null | undefined
    }
    readonly answer: {
      readonly id: string
      readonly user_id: string
      readonly bucket_name: string
      readonly prefix: string
      readonly can_read: boolean
      readonly can_write: boolean
      readonly can_delete: boolean
      readonly can_list: boolean
      readonly description: string | null
      readonly created_at: string
      readonly updated_at: string
    }
  }
  readonly 'GET /api/v1/permissions/my-permissions': {
    readonly query: {
      readonly user_id?: string | undefined
      readonly limit?: string | undefined
      readonly cursor?: string | undefined
    }
    readonly answer: {
      readonly permissions: readonly {
        readonly id: string
        readonly user_id: string
        readonly bucket_name: string
        readonly prefix: string
        readonly can_read: boolean
        readonly can_write: boolean
        readonly can_delete: boolean
        readonly can_list: boolean
        readonly description: string | null
        readonly created_at: string
        readonly updated_at: string
      }[]
      readonly next_cursor: string | null
    }
  }
  readonly 'PUT /api/v1/permissions/{permission_id}': {
    readonly path: {
      readonly permission_id: string
    }
    readonly body: {
      readonly prefix?: string | undefined
      readonly can_read?: boolean | undefined
      readonly can_write?: boolean | undefined
      readonly can_delete?: boolean | undefined
      readonly can_list?: boolean | undefined
      readonly description?: string | null | undefined
    }
    readonly answer: {
      readonly id: string
      readonly user_id: string
      readonly bucket_name: string
      readonly prefix: string
      readonly can_read: boolean
      readonly can_write: boolean
      readonly can_delete: boolean
      readonly can_list: boolean
      readonly description: string | null
      readonly created_at: string
      readonly updated_at: string
    }
  }
  readonly 'DELETE /api/v1/permissions/{permission_id}': {
    readonly path: {
      readonly permission_id: string
    }
    readonly answer: {
      readonly message: string
    }
  }
}
