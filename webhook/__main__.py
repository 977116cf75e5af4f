"""`python -m webhook` is `podgate`."""

from webhook.cli import main

if __name__ == "__main__":
    main()
