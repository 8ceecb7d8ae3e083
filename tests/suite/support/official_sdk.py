"""WorkOS's own Python SDK, talking unchanged to the tests' stand-in; prints what it read as JSON."""
import inspect
import json
import sys

from workos import WorkOSClient

url, directory, organization = sys.argv[1:4]
client = WorkOSClient(api_key="sk_test_fake", client_id="client_fake", base_url=url, max_retries=3)


def every(page):
    return [one for one in page.auto_paging_iter()] if hasattr(page, "auto_paging_iter") else list(page)


said = {}
names = ["dsync.user.created", "dsync.user.deleted"]
said["events"] = [one.id for one in every(client.events.list_events(events=names, limit=50))]
try:
    client.events.list_events(events=["dsync.nonsense"])
except Exception as error:  # the SDK's own class differs by version
    said["unknown_name"] = type(error).__name__
users = every(client.directory_sync.list_users(directory=directory, limit=50))
said["users"] = [one.id for one in users]
said["groups_of_first"] = [one.id for one in (getattr(users[0], "groups", None) or [])]
groups = every(client.directory_sync.list_groups(directory=directory))
said["groups"] = [one.name for one in groups]
said["in_group"] = [one.id for one in every(client.directory_sync.list_users(group=groups[0].id, limit=50))]
said["of_user"] = [one.id for one in every(client.directory_sync.list_groups(user=users[0].id))]
said["state"] = str(client.directory_sync.get_directory(directory).state)
try:
    client.directory_sync.get_user("directory_user_nobody")
except Exception as error:
    said["nobody"] = type(error).__name__
parameters = inspect.signature(client.admin_portal.generate_link).parameters
said["link"] = client.admin_portal.generate_link(organization=organization, intent="dsync").link if "intent" in parameters else ""
made = client.webhooks.create_webhook_endpoint(endpoint_url="https://x.example/hook", events=names)
said["secret"] = made.secret
said["endpoints"] = [one.endpoint_url for one in every(client.webhooks.list_webhook_endpoints())]
print(json.dumps(said))
