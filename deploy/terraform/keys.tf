# The key S3 encrypts the bucket with, on top of the service's own sealing.
resource "aws_kms_key" "bucket" {
  description             = "strongroom ${var.environment}: the bucket"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  multi_region            = var.multi_region_keys
  policy                  = local.key_policy

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "bucket" {
  name          = "alias/strongroom-${var.environment}-bucket"
  target_key_id = aws_kms_key.bucket.key_id
}

# The master key: without it no file can be opened. Nothing ever deletes it.
resource "aws_kms_key" "master" {
  count = var.master_key_in_kms ? 1 : 0

  description             = "strongroom ${var.environment}: the master key. Lost, every file is lost"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  multi_region            = var.multi_region_keys
  policy                  = local.key_policy

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "master" {
  count = var.master_key_in_kms ? 1 : 0

  name          = "alias/strongroom-${var.environment}-master"
  target_key_id = aws_kms_key.master[0].key_id
}

locals {
  # AWS's default: IAM policies of this account decide, and the account can never lock itself out.
  key_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "IamPoliciesOfThisAccount"
      Effect    = "Allow"
      Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${var.account_id}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })
}

data "aws_partition" "current" {}
