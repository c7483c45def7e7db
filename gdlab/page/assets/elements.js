// Elements of the page.

function $(id) {
  return document.getElementById(id);
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function options(select, names) {
  select.replaceChildren(...names.map((name, i) => element("option", { value: i }, name)));
}
