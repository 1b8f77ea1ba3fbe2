"""The container, part by part; each part knows those before it."""
