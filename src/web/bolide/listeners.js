// Sets of listeners, for events and changes.

export function listen(listeners, listener) {
  const own = (...values) => listener(...values);
  listeners.add(own);
  return () => listeners.delete(own);
}

/** A listener that fails must not keep others from hearing. */
export function notify(listeners, ...values) {
  for (const listener of [...listeners]) {
    try {
      listener(...values);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
