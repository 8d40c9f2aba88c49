"""What things cost; each prints the machine it ran on."""
