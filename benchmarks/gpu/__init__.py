"""What is measured where somebody lends a GPU: `bash benchmarks/gpu/check.sh`."""
