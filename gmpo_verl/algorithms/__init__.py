"""The mathematics of GMPO: `power_mean` (torch alone), and its adapters to verl."""
