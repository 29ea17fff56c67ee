"""Security curves of linear learning models: how an attacker's budget affects the test error."""
