/** Those who want to know what a reflector learns. */
import { errorText } from './log.ts';
import { keyOf } from './resource.ts';
import type { KubeObject, Live } from './resource.ts';
import type { Change } from './store.ts';

export interface ReflectorHandlers<T extends KubeObject> {
  added?(object: Live<T>): void;
  updated?(object: Live<T>, old: Live<T>): void;
  /** With the last state known. */
  deleted?(last: Live<T>): void;
  /**
   * The reflector had been deaf and hears again. Whatever failed meanwhile may be waiting out a long back-off, so this is the time to look at every object anew.
   */
  recovered?(): void;
}

export type Notice<T extends KubeObject> = Change<T> | { readonly type: 'recovered' };

export class HandlerSet<T extends KubeObject> {
  readonly #handlers = new Set<ReflectorHandlers<T>>();
  readonly #onFailure: (error: unknown, key: string | undefined, message: string) => void;

  /** `onFailure` is told of a handler that failed. */
  constructor(onFailure: (error: unknown, key: string | undefined, message: string) => void) {
    this.#onFailure = onFailure;
  }

  add(handlers: ReflectorHandlers<T>): void {
    this.#handlers.add(handlers);
  }

  delete(handlers: ReflectorHandlers<T>): void {
    this.#handlers.delete(handlers);
  }

  tellAll(notices: readonly Notice<T>[]): void {
    for (const notice of notices) for (const handlers of this.#handlers) this.tell(handlers, notice);
  }

  /** Handlers must not end the watch by throwing, at once or later. */
  tell(handlers: ReflectorHandlers<T>, notice: Notice<T>): void {
    const failed = (error: unknown): void => {
      const key = notice.type === 'recovered' ? undefined : keyOf(notice.object);
      this.#onFailure(error, key, `a handler of ${notice.type} failed: ${errorText(error)}`);
    };
    try {
      const result: unknown = call(handlers, notice);
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}

function call<T extends KubeObject>(handlers: ReflectorHandlers<T>, notice: Notice<T>): void {
  switch (notice.type) {
    case 'added':
      return handlers.added?.(notice.object);
    case 'updated':
      return handlers.updated?.(notice.object, notice.old);
    case 'deleted':
      return handlers.deleted?.(notice.object);
    case 'recovered':
      return handlers.recovered?.();
  }
}
