"""The storage that contenders are measured on: a fake that is fast, or Azurite. And a look at what it holds in the end."""

import base64
import email.utils
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.parse

# Azurite's account, which its documentation publishes.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
TOTAL = 1_000_000_000
LISTENS = re.compile(r"Azurite (Blob|Table) service is successfully listening at http://[^:]+:(\d+)")


class Storage:
    """Either kind: a process that listens on two ports."""

    process: subprocess.Popen
    blob_port = table_port = 0

    def connection_string(self):
        return (f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
                f"BlobEndpoint=http://127.0.0.1:{self.blob_port}/{ACCOUNT};"
                f"TableEndpoint=http://127.0.0.1:{self.table_port}/{ACCOUNT};")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def _get(self, path):
        date = email.utils.formatdate(usegmt=True)
        resource = f"/{ACCOUNT}/{ACCOUNT}{path.split('?')[0]}"
        mac = hmac.new(base64.b64decode(KEY), f"GET\n\n\n{date}\n{resource}".encode(), hashlib.sha256).digest()
        connection = http.client.HTTPConnection("127.0.0.1", self.table_port, timeout=60)
        connection.request("GET", f"/{ACCOUNT}{path}", headers={
            "x-ms-date": date, "x-ms-version": "2020-12-06", "Accept": "application/json;odata=nometadata",
            "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(mac).decode()}"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"storage answered {answer.status} to a query: {body[:200]!r}")
        return json.loads(body)["value"], answer.headers

    def rows(self, first, behind, select):
        """All rows of the table whose keys lie from `first` to before `behind`, a page at a time."""
        query = {"$filter": f"RowKey ge '{first}' and RowKey lt '{behind}'", "$select": select}
        while True:
            rows, headers = self._get("/inventory()?" + urllib.parse.urlencode(query, quote_via=urllib.parse.quote))
            yield from rows
            partition, row = (headers.get(f"x-ms-continuation-Next{k}") for k in ("PartitionKey", "RowKey"))
            if partition is None:
                return
            query["NextPartitionKey"] = partition
            if row is not None:
                query["NextRowKey"] = row

    def sums(self):
        """What is in the table: total and available of all products, and the units in their reservations."""
        products = list(self.rows("product", "product!", "total,available"))
        reserved = sum(int(row["quantity"]) for row in self.rows("r-", "r.", "quantity"))
        return {"total": sum(int(row["total"]) for row in products),
                "available": sum(int(row["available"]) for row in products), "reserved": reserved}


class FakeStorage(Storage):
    """bench/storage/, which counts what it is asked."""

    def __init__(self, program, delay_us):
        self.process = subprocess.Popen([program, str(delay_us)], stdout=subprocess.PIPE, text=True)
        ports = json.loads(self.process.stdout.readline())
        self.blob_port, self.table_port = ports["blob"], ports["table"]

    def counts(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.blob_port, timeout=10)
        connection.request("GET", "/$counts")
        counts = json.loads(connection.getresponse().read())
        connection.close()
        return counts

    @staticmethod
    def requests(counts):
        return (sum(counts.values()) - counts["lease_conflicts"] - counts["transaction_operations"]
                - counts["refused_transactions"] - counts["unleased_commits"])

    def seed(self, products):
        entity = {"format": 1, "commitId": "00000000-0000-4000-8000-000000000000"}
        for name, value in (("total", TOTAL), ("available", TOTAL), ("version", 1)):
            entity |= {f"{name}@odata.type": "Edm.Int64", name: str(value)}
        connection = http.client.HTTPConnection("127.0.0.1", self.table_port, timeout=60)
        connection.request("PUT", f"/$seed/{products}", body=json.dumps(entity))
        status = connection.getresponse().status
        connection.close()
        if status != 204:
            raise RuntimeError(f"the fake storage answered {status} to the seed")


class Azurite(Storage):
    """The emulator of Azure Storage, in memory; its log of requests is counted."""

    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="bench-azurite-")
        self.log = os.path.join(self.folder, "log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["node", program, "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence",
                 "--blobPort", "0", "--queuePort", "0", "--tablePort", "0"],
                stdout=log, stderr=subprocess.STDOUT, cwd=self.folder)
        ports = {}
        while len(ports) < 2:
            if self.process.poll() is not None:
                raise RuntimeError("Azurite has ended")
            with open(self.log, encoding="utf-8") as log:
                ports = dict(LISTENS.findall(log.read()))
        self.blob_port, self.table_port = int(ports["Blob"]), int(ports["Table"])

    def stop(self):
        super().stop()
        shutil.rmtree(self.folder)

    def counts(self):
        return {"at": os.path.getsize(self.log)}

    def requests(self, counts):
        with open(self.log, encoding="utf-8") as log:
            return sum('HTTP/1.1"' in line for line in log.read(counts["at"]).splitlines())
