/* What Lab shows of a session beside its notebooks: time and memory left, GPUs, and the cards of its tools.
 *
 * This is a federated module as webpack would make one, written by hand: it needs no build, and takes what it uses
 * from JupyterLab itself. Everything that it shows comes from `berth/api/status` of the session.
 */
"use strict";
(() => {
  const ASK_MS = 10_000;
  const DONE_MS = 8_000;
  const GIB = 2 ** 30;
  const TIME_WARNINGS_S = [30 * 60, 10 * 60, 3 * 60];
  const MEMORY_WARNING = 0.9;
  const IDLE_WARNING_S = 10 * 60;
  const NOTIFICATION_LETTERS = 140;
  let shared;

  /** Take a module of JupyterLab's own. */
  async function use(name) {
    const versions = Object.values(shared[name] ?? {});
    if (versions.length === 0) throw new Error(`berth: JupyterLab does not share ${name}`);
    return (await versions[0].get())();
  }

  function duration(seconds) {
    const minutes = Math.max(0, Math.floor(seconds / 60));
    const hours = Math.floor(minutes / 60);
    if (hours >= 48) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
    return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
  }

  /** The browser's language where there is a text in it, else English; a plain text as it is. */
  function inLanguage(texts) {
    return typeof texts === "string" ? texts : texts?.[navigator.language.split("-")[0]] ?? texts?.en;
  }

  const gib = (bytes) => (bytes / GIB).toFixed(1);

  /** Say once what is about to end, and what the user can do. */
  class Warnings {
    constructor(Notification, extend) {
      this.notification = Notification;
      this.extend = extend;
      this.told = new Set();
      this.killed = null;
    }

    tell(key, kind, message, actions = []) {
      if (this.told.has(key)) return;
      this.told.add(key);
      this.notification[kind](message, { autoClose: false, actions });
    }

    /** The button that asks the hub for more time, where the user may. */
    more(hours) {
      if (!hours) return [];
      return [{ label: hours === 1 ? "Ask for one more hour" : `Ask for ${hours} more hours`, callback: () => { void this.extend(); } }];
    }

    /** What was said of the time counts no more: the session has a new end. */
    again(status) {
      if (status.end !== null) TIME_WARNINGS_S.forEach((limit) => this.told.delete(`time-${limit}`));
    }

    /** A kernel that nobody uses ends soon: said once, and again after it was used. */
    lookAtIdle(idle) {
      if (idle === null) return;
      if (idle.left > Math.min(IDLE_WARNING_S, idle.minutes * 30)) {
        this.told.delete("idle");
        return;
      }
      this.tell("idle", "warning",
        `The kernel ${idle.kernel} is idle and ends in ${duration(idle.left)}: this service ends kernels after ` +
        `${idle.minutes} min without use. What is in its memory is lost then; run a cell to keep it.`);
    }

    look(status) {
      const left = status.end === null ? Infinity : status.end - status.now;
      const due = TIME_WARNINGS_S.filter((limit) => left <= limit);
      if (due.length > 0 && left > 0) {
        const which = due[due.length - 1];
        TIME_WARNINGS_S.filter((limit) => limit > which).forEach((limit) => this.told.add(`time-${limit}`));
        this.tell(`time-${which}`, "warning", `This session ends in ${duration(left)}. Save your work: what runs then is lost.`, this.more(status.extension_hours));
      }
      this.lookAtIdle(status.idle);
      const memory = status.memory;
      if (memory === null) return;
      if (memory.limit !== null) {
        if (memory.used > MEMORY_WARNING * memory.limit) {
          this.tell("memory", "warning",
            `This session uses ${gib(memory.used)} of its ${gib(memory.limit)} GiB of memory. ` +
            "When none is left, the kernel that uses most is ended: shut down kernels that you do not need.");
        } else if (memory.used < 0.75 * memory.limit) {
          this.told.delete("memory");
        }
      }
      if (this.killed !== null && memory.killed > this.killed) {
        this.tell(`killed-${memory.killed}`, "error",
          "The memory of this session ran out, and the system ended a process of yours for it, such as a kernel. " +
          "Start a session with more memory, or work on less at a time.");
      }
      this.killed = memory.killed;
    }
  }

  /** Say once what operators announce, in the browser's language where they wrote it in that, too. */
  class Notices {
    constructor(Notification, page) {
      this.notification = Notification;
      this.page = page;
      this.shown = new Map();
    }

    look(notices) {
      for (const { id, level, text } of notices) {
        if (this.shown.has(id)) continue;
        const words = inLanguage(text);
        // Notifications are plain text, and cut: the hub's pages have all of it.
        const actions = words.length > NOTIFICATION_LETTERS
          ? [{ label: "Read all", callback: () => { window.open(this.page, "_blank", "noopener"); } }] : [];
        this.shown.set(id, this.notification[level === "warning" ? "warning" : "info"](words, { autoClose: false, actions }));
      }
      for (const [id, notification] of this.shown) {
        if (notices.some((notice) => notice.id === id)) continue;
        this.notification.dismiss(notification);
        this.shown.delete(id);
      }
    }
  }

  function statusText(status) {
    const parts = [];
    if (status.end !== null) parts.push(`${duration(status.end - status.now)} left`);
    const memory = status.memory;
    if (memory !== null) {
      parts.push(memory.limit === null ? `${gib(memory.used)} GiB` : `${gib(memory.used)} of ${gib(memory.limit)} GiB`);
    }
    const gpus = status.gpus?.watched ?? 0;
    if (gpus > 0) parts.push(gpus === 1 ? "1 GPU" : `${gpus} GPUs`);
    return parts.join(" · ");
  }

  /** The line in the status bar; a click leads to the page where the session can be stopped. */
  function statusItem(Widget, home) {
    const node = document.createElement("div");
    const link = document.createElement("a");
    link.href = home;
    link.target = "_blank";
    link.rel = "noopener";
    link.title = "Open the Hub Control Panel, where you can stop this session";
    link.style.color = "inherit";
    node.append(link);
    const item = new Widget({ node });
    item.addClass("berth-status");
    item.addClass("jp-StatusBar-TextItem");
    return { item, show: (text) => { link.textContent = text; } };
  }

  /** GPU panels only where there are GPUs to watch: the dashboards' own list names all of them always. */
  function limitPanels(gpus) {
    const style = document.getElementById("berth-panels") ?? document.head.appendChild(document.createElement("style"));
    style.id = "berth-panels";
    const sentence = gpus?.problem ?? "";
    const others = ".gpu-dashboard-container > .gpu-dashboard-button:not(:nth-of-type(4))";
    style.textContent = (gpus?.watched ?? 0) > 0 ? "" :
      `${others} { display: none !important; }` +
      (sentence ? `.gpu-dashboard-footer::before { content: ${JSON.stringify(sentence)}; display: block; padding: 8px; }` : "");
  }

  function addCards(app, launcher, LabIcon, base, tools) {
    for (const tool of tools) {
      const command = `berth:open-${tool.name}`;
      if (app.commands.hasCommand(command)) continue;
      const icon = tool.icon ? new LabIcon({ name: `berth:${tool.name}`, svgstr: tool.icon }) : undefined;
      app.commands.addCommand(command, {
        label: tool.title,
        caption: `Open ${tool.title} in a new tab`,
        icon,
        execute: () => { window.open(`${base}${tool.name}/`, "_blank", "noopener"); },
      });
      launcher?.add({ command, category: "Other", rank: 100 });
    }
  }

  async function plugins() {
    const [{ ILauncher }, { IStatusBar }, { Notification }, { ServerConnection }, { PageConfig, URLExt }, { Widget }, { LabIcon }] =
      await Promise.all([
        use("@jupyterlab/launcher"), use("@jupyterlab/statusbar"), use("@jupyterlab/apputils"),
        use("@jupyterlab/services"), use("@jupyterlab/coreutils"), use("@lumino/widgets"), use("@jupyterlab/ui-components"),
      ]);
    return [{
      id: "berth:status",
      description: "Time, memory and GPUs of the session; cards of its tools.",
      autoStart: true,
      optional: [ILauncher, IStatusBar],
      activate: (app, launcher, bar) => {
        const settings = ServerConnection.makeSettings();
        const base = settings.baseUrl;
        const hub = PageConfig.getOption("hubPrefix") || "/hub/";
        const warnings = new Warnings(Notification, () => extend());
        const notices = new Notices(Notification, URLExt.join(hub, "home"));
        const { item, show } = statusItem(Widget, URLExt.join(hub, "home"));
        bar?.registerStatusItem("berth:status", { item, align: "right", rank: 1000 });
        limitPanels(null);
        const look = (status) => {
          show(statusText(status));
          warnings.look(status);
          notices.look(status.notices);
          limitPanels(status.gpus);
          addCards(app, launcher, LabIcon, base, status.tools);
        };
        const extend = async () => {
          try {
            const url = URLExt.join(base, "berth/api/extend");
            const answer = await ServerConnection.makeRequest(url, { method: "POST" }, settings);
            const said = await answer.json();
            if (!answer.ok) {
              Notification.error(inLanguage(said.message) ?? "The session did not get more time.", { autoClose: false });
              return;
            }
            warnings.again(said);
            look(said);
            // Without a time it would only be counted in the list of notifications.
            Notification.success(`This session ends in ${duration(said.end - said.now)} now.`, { autoClose: DONE_MS });
          } catch (error) {
            Notification.error("The session does not answer. Ask again in a minute.");
          }
        };
        const ask = async () => {
          try {
            const answer = await ServerConnection.makeRequest(URLExt.join(base, "berth/api/status"), {}, settings);
            if (!answer.ok) return;
            look(await answer.json());
          } catch (error) {
            console.debug("berth: the session does not answer", error);
          }
        };
        void ask();
        setInterval(() => { if (!document.hidden) void ask(); }, ASK_MS);
      },
    }];
  }

  const modules = { "./extension": async () => { const found = await plugins(); return () => ({ __esModule: true, default: found }); } };
  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB.berth = {
    init: (scope) => { shared = scope; },
    get: (name) => modules[name] ? modules[name]() : Promise.reject(new Error(`berth: no module ${name}`)),
  };
})();
