"""What the API's operations do, a file per noun."""
