"""podgate: a validating admission webhook that stops images from reaching nodes they cannot run on."""
