"use strict";

// Only beside demo data: the examples speak of the demo's own rows, and its key is filled in.
(() => {
  const demo = JSON.parse(document.getElementById("demo").textContent);

  const withRealIds = (text) =>
    Object.entries(demo.ids).reduce((all, [example, real]) => all.replaceAll(example, real), text);

  const fillPaths = (spec) => {
    for (const operations of Object.values(spec.paths)) {
      for (const operation of Object.values(operations)) {
        for (const parameter of operation.parameters || []) {
          const value = demo.parameters[parameter.name];
          if (parameter.in === "path" && value) parameter.example = value;
        }
      }
    }
    return spec;
  };

  const fill = (text) => {
    const key = ui.getState().getIn(["auth", "authorized", demo.scheme]);
    ui.specActions.updateSpec(JSON.stringify(fillPaths(JSON.parse(withRealIds(text)))));
    if (!key) ui.preauthorizeApiKey(demo.scheme, demo.key);
  };

  const waiting = setInterval(() => {
    const spec = ui.specSelectors.specJson();
    if (spec.size === 0) return;
    clearInterval(waiting);
    fill(JSON.stringify(spec.toJS()));
  }, 50);
})();
