"""What the gateway is compared with, as code and configuration. Each says what it enforces."""
