# The search service: docker build -t trialbook . && docker run -p 127.0.0.1:8000:8000 -v trialbook:/data trialbook
FROM python:3.12.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# As in the Makefile, torch has an index of its own: without a GPU, its default brings gigabytes for nothing.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-deps --index-url="$TORCH_INDEX" "$(grep '^torch==' requirements.txt)" \
 && pip install -r requirements.txt

# Studies, log and queue lie in /data, which outlives the container; prepared data can be made again.
RUN useradd --create-home --uid 10001 trialbook \
 && install -d -o trialbook -g trialbook /data /app/data/cache
COPY search ./search
COPY models ./models
COPY objectives ./objectives
COPY data ./data
ENV TRIALBOOK_HOME=/data
VOLUME ["/data"]

USER trialbook
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=5)"]
STOPSIGNAL SIGTERM
CMD ["python", "-m", "search", "serve", "--host", "0.0.0.0", "--port", "8000"]
