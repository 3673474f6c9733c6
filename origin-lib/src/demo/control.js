// The demo's buttons.
const list = document.getElementById('nodes');

async function show() {
  const nodes = await (await fetch('/demo/nodes')).json();
  list.replaceChildren(...Object.entries(nodes).map(([id, state]) => {
    const item = document.createElement('li');
    const name = document.createElement('span');
    name.className = 'name';
    name.textContent = `Node ${id}`;
    const mark = document.createElement('span');
    mark.className = state;
    mark.textContent = state;
    const next = state === 'up' ? 'down' : 'up';
    const button = document.createElement('button');
    button.textContent = state === 'up' ? 'Unplug' : 'Plug in';
    button.addEventListener('click', async () => {
      button.disabled = true;
      await fetch(`/demo/nodes/${id}/${next}`, { method: 'POST', headers: { 'railbird-demo': '1' } });
      await show();
    });
    item.append(name, mark, button);
    return item;
  }));
}

show();
setInterval(show, 2000);
