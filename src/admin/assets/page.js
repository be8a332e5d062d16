// The page of fulmard: reads the REST endpoint and shows what it says. It changes nothing, asks once
// a second or, when much happens, twice, and not at all while nobody looks. Names are text, whatever
// is in them.

const LOOK_MS = 4000; // health, connections, subsystems, listeners: what counts beside the load
const LISTS_MS = 12000; // everything else, unless something has changed:
const CHANGED_MS = 6000; // then at most so often
const EVENTS_PAUSE_MS = 3000; // between two answers with events
const ANSWER_MS = 10000; // then fulmard is taken to be gone
const EVENTS_MS = 90000; // it holds a question for events for less
const MOST_RETRY_MS = 15000;
const MOST_ROWS = 200;
const MOST_EVENTS = 100;
const SAMPLES = 100;

const at = (id) => document.getElementById(id);
let token = token_of_link() ?? sessionStorage.getItem("token") ?? "";
let lists = { revision: -1, at: -Infinity, stale: true }; // of devices and drives, that the page shows
let began = null; // this life of fulmard, on our clock
let listening = new AbortController();
let counters = null; // of the connections, the last time
let samples = [];
let events = [];
let next = null; // the event to ask for
let failures = 0;
let heard = null; // when fulmard answered last

class Refused extends Error {} // by fulmard, for the token
class Silent extends Error {} // nobody answers

/// A link may bring the token, in the part that browsers keep for themselves; it does not stay in the address.
function token_of_link() {
  const brought = new URLSearchParams(location.hash.slice(1)).get("token");
  if (brought === null) return null;
  history.replaceState(null, "", location.pathname);
  sessionStorage.setItem("token", brought);
  return brought;
}

async function get(path, limit = ANSWER_MS, stop = null) {
  const signals = [AbortSignal.timeout(limit), ...(stop ? [stop] : [])];
  let answer, body;
  try {
    answer = await fetch(path, {
      cache: "no-store",
      headers: token ? { Authorization: "Bearer " + token } : {},
      signal: AbortSignal.any(signals),
    });
    body = await answer.json();
  } catch (problem) {
    throw new Silent("fulmard does not answer.", { cause: problem });
  }
  if (answer.status === 401) throw new Refused();
  if (!answer.ok) throw new Error(`${path}: ${body.detail ?? answer.status}${body.remedy ? ` (${body.remedy})` : ""}`);
  return body;
}

// --- words -------------------------------------------------------------------------------------

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
function bytes(n) {
  let unit = 0;
  for (; n >= 1024 && unit < UNITS.length - 1; n /= 1024) ++unit;
  return `${n >= 100 || unit === 0 ? Math.round(n) : n.toFixed(1)} ${UNITS[unit]}`;
}
const count = (n) => Math.round(n).toLocaleString("en");
const some = (n, what) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;
function age(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}

const GOOD = ["ok", "ready", "active", "optimized", "live", "arrived", "attached"];
const BAD = ["lost", "inaccessible", "persistent-loss", "refused", "failed", "stopping"];
/// A state, told by a sign and a colour beside the word.
function state(word, kind = null) {
  const what = kind ?? (GOOD.includes(word) ? "good" : BAD.includes(word) ? "bad" : "warn");
  const sign = { good: "●", warn: "◆", bad: "▲" }[what];
  return element("span", `${sign} ${word}`, `state ${what}`);
}

// --- elements ----------------------------------------------------------------------------------

function element(name, text = "", classes = "") {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  if (classes) made.className = classes;
  return made;
}

/// Columns: [title, value of a row, classes]; a value is a text or an element. A "wide" column gives way on
/// a narrow screen, but for a cell that tells something wrong; there every cell has its title beside it.
function table(title, columns, rows) {
  const made = element("table");
  made.append(element("caption", title));
  const head = made.createTHead().insertRow();
  for (const [name, , classes = ""] of columns) {
    const cell = element("th", name, classes);
    cell.scope = "col";
    head.append(cell);
  }
  const body = made.createTBody();
  for (const one of rows.slice(0, MOST_ROWS)) {
    const row = body.insertRow();
    for (const [name, value, classes = ""] of columns) {
      const cell = row.insertCell();
      cell.className = classes;
      cell.dataset.title = name;
      cell.append(value(one) ?? "");
      if (cell.querySelector(".bad, .warn")) cell.classList.remove("wide");
      if (cell.textContent === "") cell.classList.add("empty");
    }
  }
  if (rows.length > MOST_ROWS) made.caption.textContent += ` (the first ${MOST_ROWS} of ${rows.length})`;
  return made;
}

/// Replaces what is there, unless nothing has changed: a selection or an open list stays.
function show(id, ...parts) {
  const place = at(id);
  const fresh = element("div");
  fresh.append(...parts);
  if (place.innerHTML === fresh.innerHTML) return;
  const open = [...place.querySelectorAll("details[open]")].map((one) => one.dataset.key);
  for (const one of fresh.querySelectorAll("details")) one.open = open.includes(one.dataset.key);
  place.replaceChildren(...fresh.childNodes);
}

// --- sections ----------------------------------------------------------------------------------

function show_health(health) {
  at("health").replaceChildren(state(health.status));
  const name = health.hostname ? `fulmard on ${health.hostname}` : "fulmard";
  document.title = health.status === "ok" ? name : `(${health.status}) ${name}`;
  at("name").textContent = name;
  at("summary").textContent =
    `Version ${health.version}, up ${age(health.uptime_ms)}; ${some(health.subsystems, "subsystem")}, ` +
    `${some(health.namespaces, "namespace")}, ${some(health.connections, "connection")}, ` +
    `${some(health.reactors.length, "data reactor")}; revision ${health.revision}`;
}

function show_load(connections, now) {
  const fresh = new Map(connections.map((one) => [one.id, one]));
  if (counters) {
    const seconds = (now - counters.at) / 1000;
    const sum = { commands: 0, read: 0, written: 0 };
    for (const one of fresh.values()) {
      const before = counters.of.get(one.id) ?? { commands_total: 0, bytes_read: 0, bytes_written: 0 };
      sum.commands += one.commands_total - before.commands_total;
      sum.read += one.bytes_read - before.bytes_read;
      sum.written += one.bytes_written - before.bytes_written;
    }
    samples = [...samples, sum.commands / seconds].slice(-SAMPLES);
    at("rate").textContent =
      `${count(sum.commands / seconds)} commands/s; ${bytes(sum.read / seconds)}/s read, ` +
      `${bytes(sum.written / seconds)}/s written`;
    const most = Math.max(1, ...samples);
    at("graph").setAttribute("aria-label", `Commands per second of the last minutes, ${count(most)} at most`);
    at("peak").textContent = `${count(most)}/s`;
    at("graph").firstElementChild.setAttribute(
      "points", samples.map((y, x) => `${(x * 600) / (SAMPLES - 1)},${57 - (y * 54) / most}`).join(" "));
  }
  counters = { at: now, of: fresh };
}

function show_connections(connections) {
  const of_host = new Map();
  for (const one of connections) {
    const key = `${one.host} ${one.subsystem} ${one.cntlid}`;
    const queues = of_host.get(key) ?? of_host.set(key, { ...one, queues: 0, busy: 0 }).get(key);
    queues.queues += one.qid === 0 ? 0 : 1;
    queues.busy += one.outstanding;
  }
  const rows = [...of_host.values()];
  show("connections", rows.length === 0 ? element("p", "No host is connected.", "faint") : table(
    "Controllers, as hosts have connected to them", [
      ["Host", (c) => c.host || "has not sent a Connect yet"],
      ["From", (c) => c.peer.replace(/:\d+$/, ""), "whole"],
      ["Subsystem", (c) => c.subsystem, "wide"],
      ["Controller", (c) => c.cntlid, "number wide"],
      ["Transport", (c) => c.transport, "wide"],
      ["I/O queues", (c) => c.queues, "number"],
      ["Outstanding", (c) => c.busy, "number wide"],
    ], rows));
}

const viewers = (n) => (n.visible_to ?? "all") === "all" ? "all hosts"
  : n.visible_to.length === 0 ? "nobody"
  : n.visible_to.length === 1 ? n.visible_to[0]
  : some(n.visible_to.length, "host");

// Who holds it, by the end of the Host Identifier; all of them are in the tool and in REST.
const reservation = (n) => {
  const now = n.status.reservation;
  const locked = n.status.write_protection && n.status.write_protection !== "none" ? n.status.write_protection : "";
  if (!now) return locked;
  const holders = now.registrants.filter((r) => r.holds).map((r) => `…${r.host_id.slice(-8)}`);
  const held = now.type === "none" ? "" : `${now.type} by ${holders.length > 2 ? some(holders.length, "host") : holders.join(", ") || "nobody"}`;
  return [locked, held, `${some(now.registrants.length, "host")} registered`].filter(Boolean).join("; ");
};

function show_subsystems(subsystems) {
  const parts = subsystems.map((s) => {
    const one = element("article");
    const title = element("h3", s.nqn + " ");
    title.append(state(s.status.state));
    const hosts = s.allow_any_host ? "any host" : some(s.hosts.length, "allowed host");
    one.append(title, element("p", `Serial ${s.serial}; ${hosts}; ${some(s.status.controllers, "controller")}`, "faint"));
    if (s.description) one.append(element("p", s.description));
    one.append(s.namespaces.length === 0 ? element("p", "It has no namespace.", "faint") : table(
      "Namespaces", [
        ["NSID", (n) => n.nsid, "number"],
        ["State", (n) => state(n.status.state)],
        ["Device", (n) => n.device],
        ["Size", (n) => bytes(n.status.block_count * n.status.block_size), "number"],
        ["ANA", (n) => n.ana_group ? `group ${n.ana_group}` : state(n.ana_state), "wide"],
        ["Visible to", viewers, "wide"],
        ["Reserved", reservation],
        ["On loss", (n) => n.on_loss, "wide"],
        ["Outstanding", (n) => n.status.outstanding, "number wide"],
        ["Parked", (n) => n.status.parked, "number wide"],
        ["UUID", (n) => n.uuid, "wide whole"],
        ["Description", (n) => n.description, "wide"],
      ], s.namespaces));
    return one;
  });
  show("subsystems", ...(parts.length ? parts : [element("p", "There is none.", "faint")]));
}

const drive_state = (d) => !d.present ? state("not there", "bad")
  : d.device?.detached ? state("detached", "warn")
  : d.device ? state(d.device.state) : state("the kernel's", "good");

function show_drives(drives) {
  const history = (d) => {
    const list = element("details");
    list.dataset.key = d.address;
    list.append(element("summary", `${d.history.length}`));
    const items = element("ul");
    for (const e of [...d.history].reverse())
      items.append(element("li", `${e.time} ${e.event}${e.cause ? `: ${e.cause}` : ""}${e.detail ? ` (${e.detail})` : ""}`));
    list.append(items);
    return d.history.length === 0 ? "" : list;
  };
  show("drives", drives.length === 0 ? element("p", "This machine has no NVMe drives, and no device waits for one.", "faint") : table(
    "NVMe drives of this machine", [
      ["Address", (d) => d.address, "whole"],
      ["Slot", (d) => d.slot, "wide"],
      ["State", drive_state],
      ["Device", (d) => d.device?.names.join(", ")],
      ["Model", (d) => d.identity.model, "wide"],
      ["Serial", (d) => d.identity.serial, "whole"],
      ["Losses", (d) => d.device?.losses, "number wide"],
      ["Why", (d) => d.device?.reason || (d.users.length ? `in use: ${d.users.join(", ")}` : "")],
      ["History", history],
    ], drives));
}

function show_devices(devices) {
  show("devices", devices.length === 0 ? element("p", "There is none.", "faint") : table(
    "What namespaces are made of", [
      ["Name", (d) => d.name],
      ["State", (d) => state(d.status.state)],
      ["Type", (d) => d.type],
      ["Size", (d) => bytes(d.size || d.status.block_count * d.block_size), "number"],
      ["Used by", (d) => d.status.used_by || "nobody", "wide"],
      ["What is wrong", (d) => d.status.reason || d.status.note],
      ["Description", (d) => d.description, "wide"],
    ], devices));
}

function show_listeners(listeners) {
  show("listeners", listeners.length === 0 ? element("p", "No host can connect: there is none.", "faint") : table(
    "Where hosts connect", [
      ["Listener", (l) => l.name],
      ["Connections", (l) => count(l.status.connections), "number"],
      ["Accepted", (l) => count(l.status.accepted_total), "number"],
      ["Rejected", (l) => count(l.status.rejected_total), "number"],
      ["What is wrong", (l) => l.status.waits_for ? state(l.status.waits_for, "warn") : ""],
    ], listeners));
}

function show_attention(health, subsystems, listeners, devices, drives) {
  const lines = [];
  if (health.memory_short) lines.push("Memory is short: changes that add something and new connections are refused.");
  if (!health.durable.possible) lines.push(`Changes do not survive a restart: ${health.durable.reason}`);
  for (const l of health.waiting_listeners) lines.push(`No host can connect at ${l.name}: ${l.waits_for}.`);
  for (const m of health.missing) lines.push(`Missing since the start: ${m.what} ${m.name}${m.nsid ? `, namespace ${m.nsid}` : ""}. A reload tries again.`);
  for (const why of health.start_errors) lines.push(why);
  for (const s of subsystems) {
    if (s.paused) lines.push(`Subsystem ${s.nqn} is paused.`);
    if (s.status.last_error) lines.push(`Subsystem ${s.nqn}: ${s.status.last_error}`);
    for (const n of s.namespaces) {
      if (n.status.state === "lost") lines.push(`Namespace ${n.nsid} of ${s.nqn} is lost: its device ${n.device} is gone.`);
      else if (n.status.last_error) lines.push(`Namespace ${n.nsid} of ${s.nqn}: ${n.status.last_error}`);
    }
  }
  for (const l of listeners)
    if (l.status.waits_for) lines.push(`Nobody can connect at ${l.name}: ${l.status.waits_for}`);
  for (const d of devices)
    if (d.status.state === "lost") lines.push(`Device ${d.name} is lost${d.status.reason ? `: ${d.status.reason}` : ""}.`);
  for (const d of drives)
    if (d.device?.detached) lines.push(`Drive ${d.address} is detached.`);
  at("attention").hidden = lines.length === 0;
  at("attention").querySelector("ul").replaceChildren(...lines.slice(0, 50).map((line) => element("li", line)));
}

function show_events() {
  show("events", events.length === 0 ? element("p", "Nothing has happened yet.", "faint") : table(
    `What has happened to drives and namespaces, the newest first`, [
      ["Time", (e) => e.time.replace("T", " ").replace("Z", ""), "whole"],
      ["Event", (e) => state(e.event)],
      ["Where", (e) => e.address ?? (e.nsid ? `${e.subsystem}/${e.nsid}` : e.subsystem), "whole"],
      ["Host", (e) => e.host, "wide"],
      ["Device", (e) => e.device, "wide"],
      ["Cause", (e) => e.cause],
      ["Detail", (e) => e.detail, "wide"],
    ], events));
}

// --- asking ------------------------------------------------------------------------------------

function well() {
  failures = 0;
  heard = Date.now();
  document.body.classList.remove("old");
  at("notice").hidden = true;
  at("sign-in").hidden = true;
  at("main").hidden = false;
}

function unwell(problem) {
  if (problem instanceof Refused) {
    at("sign-in").hidden = false;
    at("main").hidden = true;
    at("notice").hidden = token === "";
    at("notice").textContent = "fulmard does not accept this token.";
    if (at("sign-in").contains(document.activeElement)) return;
    return at("token").focus();
  }
  ++failures;
  counters = null;
  document.body.classList.add("old");
  at("health").replaceChildren(state("no answer", "bad"));
  const since = heard ? ` What is shown is from ${new Date(heard).toLocaleTimeString()}.` : "";
  if (!(problem instanceof Silent)) console.error(problem);
  at("notice").textContent = `${problem.message}${since} Trying again.`;
  at("notice").hidden = false;
}

async function look() {
  const health = await get("/v1/health");
  const { connections } = await get("/v1/connections");
  const now = performance.now();
  const { subsystems } = await get("/v1/subsystems");
  const { listeners } = await get("/v1/listeners");
  notice_a_restart(health);
  const changed = lists.stale || health.revision !== lists.revision;
  if (now - lists.at > (changed ? CHANGED_MS : LISTS_MS)) {
    lists = { revision: health.revision, at: now, stale: false }; // first: an event may come meanwhile
    try {
      await look_at_lists();
    } catch (problem) {
      lists.at = -Infinity;
      throw problem;
    }
  }
  show_health(health);
  show_load(connections, now);
  show_connections(connections);
  show_subsystems(subsystems);
  show_listeners(listeners);
  show_attention(health, subsystems, listeners, shown.devices, shown.drives);
  well();
}

let shown = { devices: [], drives: [] };
async function look_at_lists() {
  const { devices } = await get("/v1/devices");
  const { drives } = await get("/v1/drives");
  shown = { devices, drives };
  show_devices(devices);
  show_drives(drives);
}

/// What a link of the page names wants the token as well, which a browser does not send by itself.
async function follow(link) {
  const answer = await fetch(link.href, { cache: "no-store", headers: token ? { Authorization: "Bearer " + token } : {} });
  const text = await answer.text();
  const kind = answer.headers.get("Content-Type")?.includes("json") ? "application/json" : "text/plain";
  location.assign(URL.createObjectURL(new Blob([text], { type: `${kind};charset=utf-8` })));
}
for (const link of document.querySelectorAll("footer a"))
  link.addEventListener("click", (clicked) => {
    if (!token) return;
    clicked.preventDefault();
    follow(link).catch(unwell);
  });

/// Events are counted anew in each life of fulmard.
function notice_a_restart(health) {
  const start = Date.now() - health.uptime_ms;
  if (began !== null && start - began > LOOK_MS) {
    next = null;
    events = [];
    counters = null;
    lists.at = -Infinity;
    listening.abort();
  }
  began = start;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const retry_ms = () => Math.min(MOST_RETRY_MS, 1000 * 2 ** Math.min(failures, 4));
const looked_at = () => document.visibilityState === "visible" ? Promise.resolve()
  : new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));

/// wake() ends the nap.
let wake = () => {};
const nap = (ms) => Promise.race([pause(ms), new Promise((done) => { wake = done; })]);

async function keep_looking() {
  for (;;) {
    await looked_at();
    try {
      await look();
      await nap(LOOK_MS);
    } catch (problem) {
      unwell(problem);
      await (problem instanceof Refused ? new Promise((done) => { wake = done; }) : nap(retry_ms()));
    }
  }
}

/// What happens is told as it happens: fulmard keeps the question until there is something.
async function keep_listening() {
  for (;;) {
    await looked_at();
    listening = new AbortController();
    const hide = () => listening.abort();
    document.addEventListener("visibilitychange", hide, { once: true });
    try {
      const page = await get(next === null ? "/v1/events" : `/v1/events?after=${next}`, EVENTS_MS, listening.signal);
      next = page.next;
      events = [...page.events.reverse(), ...(page.gap ? [] : events)].slice(0, MOST_EVENTS);
      show_events();
      if (page.events.length) {
        lists.stale = true;
        wake();
        await pause(EVENTS_PAUSE_MS);
      }
    } catch (problem) {
      if (problem instanceof Refused) while (!at("sign-in").hidden) await pause(500);
      else if (!listening.signal.aborted) await pause(retry_ms() + LOOK_MS);
    } finally {
      document.removeEventListener("visibilitychange", hide);
    }
  }
}

at("sign-in").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  token = at("token").value.trim();
  sessionStorage.setItem("token", token);
  at("token").value = "";
  wake();
});

show_events();
keep_looking();
keep_listening();
