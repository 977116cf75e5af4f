"""What podgate says about itself: metrics, logs, health."""
