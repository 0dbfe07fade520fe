"""Update rules made simpler: exact algebra, gauges, approximate laws, and ablation under a test of non-inferiority."""
