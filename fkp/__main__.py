"""`fkp`, and `python -m fkp`."""

from fkp.cli import signals


def main() -> None:
    """Run the command line."""
    signals.listen()  # before the imports, which take time
    from fkp.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
