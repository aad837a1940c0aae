// Memory for direct I/O: that of a WebAssembly.Memory begins at a page.

/** The part of the WebAssembly API used here; its types belong to the DOM library, which this project does not load. */
declare const WebAssembly: {
  readonly Memory: new (descriptor: { readonly initial: number }) => { readonly buffer: ArrayBuffer }
}

/** Zeroed memory at a page boundary, in units of 64 KiB. */
export function pageAligned(units: number): Uint8Array {
  return new Uint8Array(new WebAssembly.Memory({ initial: units }).buffer)
}
