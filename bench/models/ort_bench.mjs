// Times one ONNX file with ONNX Runtime's CPU provider, or runs it once on given tensors. The counterpart of
// `fovea bench` and `fovea tensor`; bench/run starts both.
//
// usage: node ort_bench.mjs bench  ORT_DIR MODEL.onnx --size [D]xHxW [--threads N] [--repeat K]
//        node ort_bench.mjs tensor ORT_DIR MODEL.onnx INPUT.npy OUT_DIR [--threads N]
// ORT_DIR is the folder with node_modules/onnxruntime-node. The model has one float32 input, N, C, [D,] H, W.
// `bench` prints one JSON object with the keys of `fovea bench --json`; times are wall-clock milliseconds and leave
// out the first run. `tensor` writes OUT_DIR/NAME.npy for every output.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';

// Numbers in [-1, 1): the sequence of `fovea bench`.
function seededInput(count) {
  const values = new Float32Array(count);
  let state = 12345;
  for (let i = 0; i < count; ++i) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = (state >>> 8) / 8388608 - 1;
  }
  return values;
}

function readNpy(file) {
  const bytes = fs.readFileSync(file);
  if (bytes.toString('latin1', 1, 6) !== 'NUMPY' || bytes[6] !== 1) throw new Error(`${file}: not an NPY 1.0 file`);
  const end = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, end);
  if (!header.includes("'<f4'") || !header.includes("'fortran_order': False")) {
    throw new Error(`${file}: not row-major float32: ${header}`);
  }
  const dims = header.match(/'shape': \(([^)]*)\)/)[1].split(',').filter((s) => s.trim()).map(Number);
  const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset + end, bytes.byteOffset + bytes.length));
  return { dims, data };
}

function writeNpy(file, dims, data) {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims.join(', ')},), }`;
  const header = text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11) + '\n';
  const start = Buffer.alloc(10);
  start.write('\x93NUMPY\x01\x00', 'latin1');
  start.writeUInt16LE(header.length, 8);
  fs.writeFileSync(file, Buffer.concat([start, Buffer.from(header, 'latin1'),
                                        Buffer.from(data.buffer, data.byteOffset, data.byteLength)]));
}

function peakResidentBytes() {
  const line = fs.readFileSync('/proc/self/status', 'latin1').match(/VmHWM:\s+(\d+) kB/);
  return 1024 * Number(line[1]);
}

function median(values) {
  const v = [...values].sort((a, b) => a - b);
  const half = v.length >> 1;
  return v.length % 2 ? v[half] : (v[half - 1] + v[half]) / 2;
}

function option(args, name, otherwise) {
  const at = args.indexOf(name);
  return at < 0 ? otherwise : args.splice(at, 2)[1];
}

const args = process.argv.slice(2);
const threads = Number(option(args, '--threads', '1'));
const repeat = Number(option(args, '--repeat', '5'));
const size = option(args, '--size', '');
const [command, ortDir, modelFile, inputFile, outDir] = args;
if (!modelFile || !['bench', 'tensor'].includes(command) || (command === 'tensor' ? !outDir : !size)) {
  console.error('usage: ort_bench.mjs bench ORT_DIR MODEL --size [D]xHxW | tensor ORT_DIR MODEL INPUT.npy OUT_DIR');
  process.exit(2);
}
const require = createRequire(path.join(path.resolve(ortDir), 'package.json'));
const ort = require('onnxruntime-node');
const runtimeBytes = peakResidentBytes();  // node and the library, before any network

const loadStart = performance.now();
const session = await ort.InferenceSession.create(modelFile, {
  executionProviders: ['cpu'],
  graphOptimizationLevel: 'all',
  executionMode: 'sequential',
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
});
const loadMs = performance.now() - loadStart;
const name = session.inputNames[0];

if (command === 'tensor') {
  const { dims, data } = readNpy(inputFile);
  const results = await session.run({ [name]: new ort.Tensor('float32', data, dims) });
  for (const output of session.outputNames) {
    writeNpy(path.join(outDir, output.replace(/[/:]/g, '_') + '.npy'), results[output].dims, results[output].data);
  }
} else {
  const channels = session.inputMetadata[0].shape[1];
  const dims = [1, channels, ...size.split('x').map(Number)];
  const feeds = { [name]: new ort.Tensor('float32', seededInput(dims.reduce((a, b) => a * b)), dims) };
  // The warm-up also tells the outputs' sizes; later runs write into the same memory, as fovea's do.
  const outputs = { ...(await session.run(feeds)) };
  const runs = [];
  const cpuStart = process.cpuUsage();
  for (let i = 0; i < repeat; ++i) {
    const start = performance.now();
    await session.run(feeds, outputs);
    runs.push(performance.now() - start);
  }
  const cpu = process.cpuUsage(cpuStart);
  console.log(JSON.stringify({
    model: modelFile,
    input_dims: [dims],
    min_ms: Math.min(...runs),
    median_ms: median(runs),
    runs_ms: runs,
    load_ms: loadMs,
    peak_rss_bytes: peakResidentBytes(),
    runtime_rss_bytes: runtimeBytes,
    threads,
    // Processor time over wall time: close to `threads` when the setting took effect.
    busy_threads: (cpu.user + cpu.system) / 1000 / runs.reduce((a, b) => a + b),
    version: require('onnxruntime-node/package.json').version,
    node: process.version,
  }));
}
