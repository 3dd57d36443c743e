"""A job continued by its id: wait for it, and save its outputs in outputs/. Costs 0 credits: it is paid for already.

    python examples/resume.py image ID
    python examples/resume.py video ID      (talking photos are videos)

The id is in every error after a job was accepted, in the log, and on the job's page in the web app.
"""

import argparse
import sys

from magic_hour_workflows import Client, MagicHourError


def main() -> None:
    parser = argparse.ArgumentParser(description="Continue a job.")
    parser.add_argument("kind", choices=["image", "video"])
    parser.add_argument("id")
    arguments = parser.parse_args()
    try:
        with Client() as client:
            jobs = client.v1.image_projects if arguments.kind == "image" else client.v1.video_projects
            result = jobs.check_result(arguments.id, download_directory="outputs")
    except MagicHourError as error:
        sys.exit(f"resume.py: {error}")
    for path in result.downloaded_paths:
        print(path)


if __name__ == "__main__":
    main()
