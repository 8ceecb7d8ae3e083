DROP TABLE webhook_secret_uses;
