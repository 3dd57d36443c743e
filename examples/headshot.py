"""A professional headshot from a portrait. Costs 50 credits.

    python examples/headshot.py portrait.jpg

The image is saved in outputs/.
"""

import sys

from magic_hour_workflows import Client, MagicHourError


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: headshot.py PORTRAIT")
    try:
        with Client() as client:  # the key comes from MAGIC_HOUR_API_KEY
            result = client.v1.ai_headshot_generator.generate(
                assets={"image_file_path": sys.argv[1]},
                download_directory="outputs",
            )
    except MagicHourError as error:
        sys.exit(f"headshot.py: {error}")
    print(f"{result.downloaded_paths[0]} for {result.credits_charged} credits")


if __name__ == "__main__":
    main()
