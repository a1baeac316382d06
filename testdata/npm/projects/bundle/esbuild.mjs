import { entries, external, root, tool, truth, write } from './common.mjs'

const dir = 'dist-esbuild'
const { metafile } = await tool('esbuild').build({
  absWorkingDir: root,
  entryPoints: entries,
  external,
  outdir: dir,
  bundle: true,
  format: 'esm',
  splitting: true,
  minify: true,
  sourcemap: true,
  metafile: true,
  logLevel: 'warning',
})
write(dir, 'meta.json', metafile)
truth(dir, Object.values(metafile.outputs).flatMap(o =>
  Object.keys(o.inputs).filter(input => o.inputs[input].bytesInOutput > 0)))
