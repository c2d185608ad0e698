"""What users would pick instead, in its best mode. Only children import these modules."""
