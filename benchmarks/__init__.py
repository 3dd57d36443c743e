"""What the SDK costs, beside what people would use instead. README.md in this folder says how to run and read it."""
