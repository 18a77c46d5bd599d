variable "account_id" {
  description = "The AWS account this environment lives in."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "Expected 12 digits."
  }
}

variable "region" {
  description = "Region of the bucket and the keys: AWS_REGION."
  type        = string
  default     = "ap-southeast-2"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Expected a region such as ap-southeast-2."
  }
}

variable "environment" {
  description = "dev, staging or prod: part of every name. Each has a bucket and keys of its own."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "Expected dev, staging or prod."
  }
}

variable "bucket_name" {
  description = "Bucket of the sealed files. Names are public: no client, no patient in it."
  type        = string

  validation {
    # No dots: with them TLS by the bucket's own host name fails. Room is left for -access-logs.
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,49}[a-z0-9]$", var.bucket_name))
    error_message = "Expected 3 to 51 of a-z, 0-9 and hyphens, beginning and ending with a letter or digit."
  }
}

variable "portal_origins" {
  description = "Origins whose pages may talk to the bucket itself (DIRECT_UPLOADS). Empty: none."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.portal_origins : can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", each))])
    error_message = "Expected origins such as https://portal.example: https, no path, no *."
  }
}

variable "runs_on" {
  description = "Who may take the role of the service: ecs (tasks), eks (a service account) or ec2 (machines)."
  type        = string
  default     = "ecs"

  validation {
    condition     = contains(["ecs", "eks", "ec2"], var.runs_on)
    error_message = "Expected ecs, eks or ec2."
  }
}

variable "eks_oidc_provider" {
  description = "For eks: the cluster's OIDC issuer without https://."
  type        = string
  default     = ""

  validation {
    condition     = var.runs_on != "eks" || can(regex("^[a-z0-9.-]+/.+$", var.eks_oidc_provider))
    error_message = "Expected the issuer of the cluster, such as oidc.eks.eu-central-1.amazonaws.com/id/0123ABCD."
  }
}

variable "eks_service_account" {
  description = "For eks: namespace:name of the service account."
  type        = string
  default     = "strongroom:strongroom"

  validation {
    condition     = can(regex("^[a-z0-9-]+:[a-z0-9-]+$", var.eks_service_account))
    error_message = "Expected namespace:name."
  }
}

variable "operator_arns" {
  description = "IAM roles or users of operators who may take the role of the doctor."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.operator_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/[^*]+$", each))])
    error_message = "Expected ARNs of roles or users, no *."
  }
}

variable "operators_need_mfa" {
  description = "Whether taking that role asks AWS for a second factor. false behind IAM Identity Center, which asks for it itself: a session taken from a session carries none."
  type        = bool
  default     = true
}

variable "master_key_in_kms" {
  description = "Whether the master key is in KMS (KEY_PROVIDER=aws-kms) rather than in MASTER_KEYS."
  type        = bool
  default     = true
}

variable "multi_region_keys" {
  description = "Whether the keys can have replicas in a second region. Cannot be changed afterwards."
  type        = bool
  default     = false
}

variable "upload_expiry_days" {
  description = "Unfinished uploads are removed after so long: UPLOAD_EXPIRY_DAYS, and the bucket's own rule."
  type        = number
  default     = 7

  validation {
    condition     = var.upload_expiry_days >= 1 && var.upload_expiry_days <= 365 && floor(var.upload_expiry_days) == var.upload_expiry_days
    error_message = "Expected whole days, 1 to 365."
  }
}

variable "glacier_after_days" {
  description = "Deleted files, kept as old versions, go to Glacier after so long."
  type        = number
  default     = 90

  validation {
    condition     = var.glacier_after_days >= 30 && floor(var.glacier_after_days) == var.glacier_after_days
    error_message = "Expected whole days, at least 30."
  }
}

variable "noncurrent_days" {
  description = "Deleted files are destroyed for good after so long: BACKUP_RETENTION_DAYS, certificates of erasure count it."
  type        = number
  default     = 365

  validation {
    # Glacier bills at least 90 days.
    condition     = var.noncurrent_days >= var.glacier_after_days + 90 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "Expected whole days, at least 90 more than glacier_after_days."
  }
}

variable "log_retention_days" {
  description = "Access logs of the bucket are kept so long. HIPAA asks for six years of documentation."
  type        = number
  default     = 2192

  validation {
    condition     = var.log_retention_days >= 365 && floor(var.log_retention_days) == var.log_retention_days
    error_message = "Expected whole days, at least 365."
  }
}
