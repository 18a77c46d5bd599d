terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = var.region

  # An environment is an account of its own: plans for another one stop here.
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      service     = "strongroom"
      environment = var.environment
    }
  }
}
