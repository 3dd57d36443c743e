"""What the SDK costs, beside what people would use instead. README.md in this folder explains how to run it."""
