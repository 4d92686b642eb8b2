/**
 * `scripts/embed.py`, which `init` writes: the command of "reference" for models that
 * sentence-transformers loads. The maintainer's own from then on.
 */
export const embedScript = `"""Embeds the texts on stdin with the model in MODEL_DIR: "reference" of release.json runs this.

  "reference": { "command": ["python3", "scripts/embed.py"] }

Needs sentence-transformers. It prints one JSON document; everything else goes to stderr.
"""

import json
import os
import sys

answer, sys.stdout = sys.stdout, sys.stderr

import sentence_transformers  # noqa: E402

directory, weights = os.environ["MODEL_DIR"], os.environ["MODEL_WEIGHTS"]
options = {}
if weights.endswith(".onnx"):
    options = {"backend": "onnx", "model_kwargs": {"file_name": weights}}
elif os.path.basename(weights).split(".")[0] != "model":
    sys.exit(f"sentence-transformers doesn't load {weights} by itself: write here how it is loaded")
model = sentence_transformers.SentenceTransformer(directory, device="cpu", **options)

# One by one, so that no vector depends on its neighbours. Where no prompt is named, the model's
# default prompt is used, as it is for users.
texts = json.load(sys.stdin)["texts"]
vectors = [model.encode(one["text"], prompt_name=one["prompt"]).tolist() for one in texts]
runtime = f"sentence-transformers {sentence_transformers.__version__}, cpu"
json.dump({"vectors": vectors, "runtime": runtime}, answer)
`;
