// WorkOS's own Node SDK, talking unchanged to the tests' stand-in; prints what it read as JSON.
import { pathToFileURL } from "node:url";

const [sdk, url, directory, organization] = process.argv.slice(2);
const { WorkOS } = await import(pathToFileURL(`${sdk}/node_modules/@workos-inc/node/lib/index.mjs`));
const { hostname, port } = new URL(url);
const settings = { apiHostname: hostname, port: Number(port), https: false, clientId: "client_fake" };
const workos = new WorkOS("sk_test_fake", settings);
const errorOf = async (call) => {
  try {
    await call();
    return "none";
  } catch (error) {
    return [error.name, error.status ?? null, error.code ?? null];
  }
};
const eventsOfOneName = async () => {
  const all = [];
  for (let after; ; ) {
    const page = await workos.events.listEvents({ events: ["dsync.user.created", "dsync.user.deleted"], limit: 50, after });
    all.push(...page.data);
    after = page.listMetadata.after;
    if (!after) return all;
  }
};
const every = async (call) => (await call).autoPagination();
const users = await every(workos.directorySync.listUsers({ directory }));
const groups = await every(workos.directorySync.listGroups({ directory }));
const said = {
  events: (await eventsOfOneName()).map((one) => one.id),
  unknown_name: await errorOf(() => workos.events.listEvents({ events: ["dsync.nonsense"] })),
  directories: (await every(workos.directorySync.listDirectories({ organizationId: organization }))).map((one) => one.id),
  state: (await workos.directorySync.getDirectory(directory)).state,
  users: users.length,
  first: [users[0].email, users[0].customAttributes.department_name, users[0].groups],
  groups: groups.map((one) => one.name),
  in_group: (await every(workos.directorySync.listUsers({ group: groups[0].id }))).map((one) => one.id),
  of_user: (await every(workos.directorySync.listGroups({ user: users[0].id }))).map((one) => one.id),
  one: (await workos.directorySync.getUser(users[0].id)).id,
  nobody: await errorOf(() => workos.directorySync.getUser("directory_user_nobody")),
  wrong_key: await errorOf(() => new WorkOS("sk_wrong", settings).directorySync.getDirectory(directory)),
  bad_code: await errorOf(() => workos.sso.getProfileAndToken({ code: "nonsense", clientId: "client_fake" })),
  log_in: (await workos.sso.getProfileAndToken({ code: "code_1", clientId: "client_fake" })).profile.email,
};
const made = workos.portal ?? workos.adminPortal;
said.link = (await made.generateLink({ intent: "dsync", organization })).link;
console.log(JSON.stringify(said));
