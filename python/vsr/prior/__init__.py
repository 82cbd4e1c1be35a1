"""What is known of the models before a query is read: their means, overall and in every category."""
