output "environment_variables" {
  description = "What the service is given, as it stands. No secret is among them."

  value = merge(
    {
      STORAGE_DRIVER   = "s3"
      AWS_REGION       = var.region
      S3_BUCKET        = aws_s3_bucket.files.id
      S3_CREATE_BUCKET = "false"
      # The bucket encrypts with its own key where nothing is asked for; asked for, it would be another.
      S3_SSE                = "none"
      UPLOAD_EXPIRY_DAYS    = tostring(var.upload_expiry_days)
      BACKUP_RETENTION_DAYS = tostring(var.noncurrent_days)
    },
    var.master_key_in_kms ? {
      KEY_PROVIDER = "aws-kms"
      KMS_KEY_IDS  = aws_kms_key.master[0].arn
    } : {},
  )
}

output "service_role_arn" {
  description = "The role of the service: taskRoleArn in ECS, eks.amazonaws.com/role-arn on the service account."
  value       = aws_iam_role.service.arn
}

output "doctor_role_arn" {
  description = "The role operators take; null without operator_arns."
  value       = one(aws_iam_role.doctor[*].arn)
}

output "log_bucket" {
  description = "Where access logs of the bucket are."
  value       = aws_s3_bucket.logs.id
}
