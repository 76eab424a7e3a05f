// Links to Airflow, times in the person's zone, refreshing, and acts.
(() => {
  const SECONDS_BETWEEN_REFRESHES = 5;
  const outer = parent !== window ? parent : null;
  const api = (path) => new URL(path, outer ? outer.document.baseURI : document.baseURI);

  // Times: in the zone that the person has chosen in Airflow, else the browser's.
  const zone = () => {
    try {
      return JSON.parse(localStorage.getItem("timezone")) || undefined;
    } catch {
      return localStorage.getItem("timezone") || undefined;
    }
  };
  const localTime = (text) => {
    const form = { dateStyle: "medium", timeStyle: "medium" };
    try {
      return new Intl.DateTimeFormat(undefined, { ...form, timeZone: zone() }).format(new Date(text));
    } catch {
      return new Intl.DateTimeFormat(undefined, form).format(new Date(text));
    }
  };
  const showTimes = (within) => {
    for (const one of within.querySelectorAll("time[datetime]")) {
      one.textContent = localTime(one.getAttribute("datetime"));
    }
  };

  // Boxes of a list, by their name: how many are checked, and what needs one to be.
  const checked = (name) => [...document.querySelectorAll(`#main input[name="${name}"]:checked`)];
  const showChecked = () => {
    for (const one of document.querySelectorAll("[data-count]")) {
      one.textContent = checked(one.dataset.count).length;
    }
    for (const one of document.querySelectorAll("[data-needs]")) {
      one.disabled = !checked(one.dataset.needs).length;
    }
    for (const all of document.querySelectorAll("[data-checks]")) {
      const boxes = document.querySelectorAll(`#main input[name="${all.dataset.checks}"]`);
      const number = checked(all.dataset.checks).length;
      all.disabled = !boxes.length;
      all.checked = number > 0 && number === boxes.length;
      all.indeterminate = number > 0 && !all.checked;
    }
  };
  document.addEventListener("change", (event) => {
    const all = event.target.dataset.checks;
    if (all) {
      for (const box of document.querySelectorAll(`#main input[name="${all}"]`)) box.checked = event.target.checked;
    }
    if (event.target.type === "checkbox") showChecked();
  });

  // A page of Airflow is opened in the outer window, without loading Airflow again.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (!outer) {
      location.assign(api(link.dataset.airflow));
      return;
    }
    // A frame may not lead Airflow to another server page; its home asks for the login.
    const isLogin = link.dataset.airflow.startsWith("auth/");
    outer.history.pushState(null, "", api(isLogin ? "" : link.dataset.airflow));
    outer.dispatchEvent(new PopStateEvent("popstate", { state: null }));
  });
  const prepare = () => {
    showTimes(document);
    showChecked();
    for (const link of document.querySelectorAll("a[data-airflow]")) {
      link.href = api(link.dataset.airflow);
    }
  };

  // What was done, or why it wasn't.
  const said = (text, isError) => {
    const place = document.getElementById("said");
    place.textContent = text;
    place.className = isError ? "bad" : "good";
    place.hidden = false;
  };

  // Boxes of lists; one in a dialog is a field of its form.
  const selected = () => document.querySelectorAll("#main input[type=checkbox]:checked:not(dialog *)");

  // Refresh while somebody looks, and nobody is amid a dialog, a form or a selection.
  const isBusy = () =>
    document.visibilityState !== "visible" ||
    document.querySelector("dialog[open]") ||
    document.querySelector("form[data-edited]") ||
    selected().length ||
    !getSelection().isCollapsed;
  setInterval(() => {
    const main = document.getElementById("main");
    if (main.hasAttribute("hx-get") && !isBusy()) htmx.trigger(main, "palate:refresh");
  }, SECONDS_BETWEEN_REFRESHES * 1000);
  document.addEventListener("htmx:beforeSwap", (event) => {
    // Somebody has begun something since the page was asked for.
    if (event.detail.target.id === "main" && isBusy()) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterSettle", prepare);
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.target.id !== "main") {
      event.detail.target.textContent = "Not known yet: complete the form.";
      return;
    }
    const status = event.detail.xhr.status;
    if (status === 404) {
      // What is shown is there no more; the answer says why.
      const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
      const why = page.querySelector("main [role=alert]");
      event.detail.target.removeAttribute("hx-get");
      said(why ? why.textContent : "What this page shows is there no more.", true);
      return;
    }
    said(
      status === 401 || status === 403
        ? "Your session is over. Log in again, and this page goes on."
        : "This page can't be refreshed now. It tries again by itself.",
      true,
    );
  });
  document.addEventListener("htmx:sendError", () =>
    said("The server does not answer. This page tries again by itself.", true),
  );
  document.addEventListener("htmx:afterRequest", (event) => {
    // What an act has done stays to be read.
    const place = document.getElementById("said");
    if (event.detail.successful && place.className === "bad") place.hidden = true;
  });

  // Choosing in a filter shows it at once; the button is for those without a script.
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
    else if (event.target.closest("form[data-act]")) event.target.form.dataset.edited = "";
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-act]");
    if (form) form.dataset.edited = "";
  });

  // A button opens its dialog; Escape and the button "Cancel" close it.
  document.addEventListener("click", (event) => {
    const opens = event.target.closest("[data-opens]");
    if (opens) {
      const dialog = document.getElementById(opens.dataset.opens);
      dialog.showModal();
      dialog.dispatchEvent(new Event("palate:opened"));
    }
    const closes = event.target.closest("[data-closes]");
    if (closes) closes.closest("dialog").close();
  });

  // An act: its form is sent as JSON, by the cockpit's own function or by Airflow's API.
  // A field of several values, or one marked so, is a list; a number is a number. One
  // with data-checked has the values of the boxes of that name.
  const filled = (form) => {
    const values = {};
    for (const field of form.elements) {
      if (!field.name || field.disabled) continue;
      if (field.type === "checkbox" && field.dataset.list !== undefined) {
        values[field.name] ??= [];
        if (field.checked) values[field.name].push(field.value);
      } else if (field.type === "checkbox") values[field.name] = field.checked;
      else if (field.type === "radio") {
        if (field.checked) values[field.name] = field.value;
      } else if (field.dataset.checked) {
        const boxes = checked(field.dataset.checked);
        if (!boxes.length) throw new Error("Nothing is selected.");
        values[field.name] = boxes.map((box) => box.value).join("; ");
      } else if (field.dataset.json !== undefined) values[field.name] = JSON.parse(field.value);
      else if (field.type === "number") values[field.name] = field.value === "" ? null : Number(field.value);
      else values[field.name] = field.value;
    }
    return values;
  };
  const sentence = (answer) => {
    if (answer.error) return answer.error;
    if (answer.detail === "Forbidden") return "Your role doesn't allow this.";
    if (typeof answer.detail === "string") return answer.detail;
    return "It was refused.";
  };
  const send = async (path, values) => {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(values),
    });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(sentence(answer));
    return answer;
  };
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-act], form[data-starts]");
    if (!form) return;
    event.preventDefault();
    const button = event.submitter;
    if (button) button.disabled = true;
    try {
      if (form.dataset.starts) {
        const dag = form.dataset.starts;
        const run = await send(api(`api/v2/dags/${encodeURIComponent(dag)}/dagRuns`), {
          logical_date: null,
          conf: filled(form),
        });
        said(`The run ${run.dag_run_id} of ${dag} has begun.`, false);
        const link = document.createElement("a");
        link.dataset.airflow = `dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run.dag_run_id)}`;
        link.href = api(link.dataset.airflow);
        link.textContent = "Open it";
        document.getElementById("said").append(" ", link);
      } else {
        said((await send(form.action, filled(form))).done, false);
      }
      delete form.dataset.edited;
      form.closest("dialog")?.close();
      for (const box of selected()) box.checked = false;
      htmx.trigger(document.getElementById("main"), "palate:refresh");
    } catch (error) {
      const place = form.querySelector("[role=alert]");
      if (place) place.textContent = error.message;
      else said(error.message, true);
    } finally {
      if (button) button.disabled = false;
    }
  });

  prepare();
})();
