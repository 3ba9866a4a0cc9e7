// Sets of listeners, for events and changes.

export function listen(listeners, listener) {
  const own = (...values) => listener(...values);
  listeners.add(own);
  return () => listeners.delete(own);
}

/** Calls all listeners, even if one of them throws. */
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
