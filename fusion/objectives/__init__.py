"""What training minimises; each objective states whether it couples patients."""
