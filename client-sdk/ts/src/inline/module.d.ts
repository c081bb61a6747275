/** The Wasm module: deflated, in base64. Written by `scripts/copy_module.mjs`. */
export declare const packed: string;
