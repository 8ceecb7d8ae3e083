// Every three seconds, while somebody looks, each live part of the page asks whether anything was
// written since it was shown. The server answers 304 without reading anything where nothing was.
// Without scripts nothing is lost but this: a reload shows the same.
(() => {
  const PAUSE = 3000;
  const beat = () => {
    if (document.hidden) return;
    // A part that somebody is writing in, or marking text in, is left alone until they are done.
    const marked = document.getSelection();
    document.querySelectorAll('[data-pulse]').forEach(part => {
      const busy = document.activeElement;
      if (part.contains(busy) && busy.matches('input, select, textarea')) return;
      if (marked && !marked.isCollapsed && part.contains(marked.anchorNode)) return;
      htmx.trigger(part, 'live');
    });
  };
  document.addEventListener('htmx:configRequest', event => {
    const pulse = event.target.dataset.pulse;
    if (pulse) event.detail.headers['If-None-Match'] = `"${pulse}"`;
  });
  // What somebody has unfolded stays so.
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === 'open' && node.matches('details'));
  document.addEventListener('visibilitychange', beat);
  setInterval(beat, PAUSE);
})();
