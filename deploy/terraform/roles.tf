locals {
  trust = {
    ecs = {
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }
    ec2 = {
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }
    eks = {
      Principal = { Federated = "arn:${data.aws_partition.current.partition}:iam::${var.account_id}:oidc-provider/${var.eks_oidc_provider}" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${var.eks_oidc_provider}:aud" = "sts.amazonaws.com"
          "${var.eks_oidc_provider}:sub" = "system:serviceaccount:${var.eks_service_account}"
        }
      }
    }
  }
}

# What the service runs as.
resource "aws_iam_role" "service" {
  name = "strongroom-${var.environment}"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [merge({ Effect = "Allow" }, local.trust[var.runs_on])]
  })
}

resource "aws_iam_role_policy" "service_bucket" {
  name = "bucket"
  role = aws_iam_role.service.id

  policy = templatefile("${path.module}/../iam/service-bucket.json", {
    bucket_arn     = aws_s3_bucket.files.arn
    bucket_key_arn = aws_kms_key.bucket.arn
    region         = var.region
  })
}

resource "aws_iam_role_policy" "service_master_key" {
  count = var.master_key_in_kms ? 1 : 0

  name = "master-key"
  role = aws_iam_role.service.id

  policy = templatefile("${path.module}/../iam/service-master-key.json", {
    master_key_arn = aws_kms_key.master[0].arn
  })
}

# A machine takes a role by its profile.
resource "aws_iam_instance_profile" "service" {
  count = var.runs_on == "ec2" ? 1 : 0

  name = aws_iam_role.service.name
  role = aws_iam_role.service.name
}

# What operators take to look at how the bucket is set: not one file, not one name.
resource "aws_iam_role" "doctor" {
  count = length(var.operator_arns) == 0 ? 0 : 1

  name                 = "strongroom-${var.environment}-doctor"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(
      {
        Effect    = "Allow"
        Principal = { AWS = var.operator_arns }
        Action    = "sts:AssumeRole"
      },
      var.operators_need_mfa ? { Condition = { Bool = { "aws:MultiFactorAuthPresent" = "true" } } } : {},
    )]
  })
}

resource "aws_iam_role_policy" "doctor" {
  count = length(var.operator_arns) == 0 ? 0 : 1

  name = "bucket-settings"
  role = aws_iam_role.doctor[0].id

  policy = templatefile("${path.module}/../iam/doctor.json", {
    bucket_arn = aws_s3_bucket.files.arn
  })
}
