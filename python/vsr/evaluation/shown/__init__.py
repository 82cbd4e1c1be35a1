"""What a report shows beside the table: categories, examples, reliability."""
