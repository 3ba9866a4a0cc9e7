// The nodes of the cluster that a list is about. A server that is alone has none.

import { client } from '../client.js';
import { element } from '../element.js';
import { watch } from '../live.js';
import { count } from '../text.js';

/** Returns a note that names the nodes that do not answer, and what to call those that do. */
export function nodesOf(signal) {
  const silent = element('p', { class: 'note', role: 'status', hidden: true });
  watch(signal, 'nodes', (nodes) => {
    const names = nodes.filter(({ answers }) => !answers).map(({ _id }) => _id);
    silent.hidden = names.length === 0;
    silent.textContent = `Left out because there was no answer: ${count(names.length, 'node')} (${names.join(', ')}).`;
  });
  return {
    silent,
    text() {
      const answering = client.collection('nodes').all().filter(({ answers }) => answers).length;
      return answering > 1 ? count(answering, 'node') : 'this server';
    },
  };
}
