// Sends forms without leaving the page, and says beside a form what was wrong. Without it they work too.
"use strict";

document.addEventListener("submit", async event => {
  const form = event.target;
  if (!form.matches("[data-script]")) return;
  event.preventDefault();
  if (form.dataset.busy) return;
  form.dataset.busy = "true";
  const wrong = form.querySelector(".wrong");
  wrong.textContent = "";
  try {
    const body = new URLSearchParams(new FormData(form));
    if (form.matches("[data-goes]")) body.set("key", form.dataset.key ??= newKey());
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    const content = await answer.json();
    if (answer.status === 401) location.reload();
    else if (!answer.ok) { wrong.textContent = `${content.detail}.`; delete form.dataset.key; }
    else accepted(form, content);
  } catch {
    wrong.textContent = "The service does not answer: try again.";
  }
  delete form.dataset.busy;
});

function newKey() {  // a search that is asked for twice, as the first answer was lost, starts once
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");
}

function accepted(form, content) {
  if (form.matches("[data-goes]")) { location.assign(content.address); return; }
  say(content.said);
  form.closest("dialog")?.close();
  const part = form.closest("details");
  if (part) { part.open = false; form.reset(); part.querySelector("summary").focus(); }
  refresh();
}

// A trial that is to be void, or to count again

const dialog = document.getElementById("void");

document.addEventListener("click", event => {
  if (event.target.closest("[data-close]")) dialog.close();
  const button = event.target.closest("[data-void]");
  if (!button) return;
  const form = dialog.querySelector("form"), restore = button.dataset.restore;
  form.reset();
  form.querySelector(".wrong").textContent = "";
  form.elements.trials.value = button.dataset.void;
  form.elements.restore.value = restore;
  const [verb, result] = restore ? ["Restore", "Let it count again"] : ["Void", "Make it void"];
  dialog.querySelector("h2").textContent = `${verb} trial ${button.dataset.void}`;
  form.querySelector("button.primary").textContent = result;
  dialog.showModal();
});

// The chosen task: its question, its ranges, its data

const task = document.querySelector("select[name=task]");

function showTask() {
  for (const about of document.querySelectorAll("details[data-task]")) {
    about.hidden = about.dataset.task !== task.value;
    about.open = true;
  }
  const data = document.querySelector("select[name=data]");
  for (const group of data.querySelectorAll("optgroup")) group.hidden = group.disabled = group.dataset.task !== task.value;
  if (data.selectedOptions[0]?.parentNode.disabled) data.value = "";
}

if (task) {
  task.addEventListener("change", showTask);
  showTask();
}
