package main

import (
	"context"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"
)

// rawLeases makes the requests by hand (RAW_LEASES=1), for those who find the SDK's pipeline too
// dear.
type rawLeases struct {
	endpoint, account string
	signer            *signer
	client            *http.Client
}

func newRawLeases(acct account, client *http.Client) *rawLeases {
	return &rawLeases{acct.blobEndpoint, acct.name, newSigner(acct), client}
}

// put sends a PUT without a body. The headers are pairs of lower-case names and values; signedQuery
// is the query as the signature wants it ("\ncomp:lease").
func (r *rawLeases) put(ctx context.Context, path, query, signedQuery string, headers ...string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, "PUT", r.endpoint+path+query, http.NoBody)
	if err != nil {
		return 0, err
	}
	headers = append(headers, "x-ms-date", time.Now().UTC().Format(http.TimeFormat), "x-ms-version", "2020-10-02")
	lines := make([]string, 0, 8)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if strings.HasPrefix(headers[i], "x-ms-") {
			lines = append(lines, headers[i]+":"+headers[i+1]+"\n")
		}
	}
	sort.Strings(lines)
	req.Header.Set("Authorization", r.signer.authorization(
		"PUT\n\n\n\n\n\n\n\n\n\n\n\n"+strings.Join(lines, "")+"/"+r.account+req.URL.EscapedPath()+signedQuery))
	resp, err := r.client.Do(req)
	if err != nil {
		return 0, err
	}
	drain(resp)
	return resp.StatusCode, nil
}

func (r *rawLeases) lease(ctx context.Context, blob string, headers ...string) (int, error) {
	return r.put(ctx, "/"+containerName+"/"+blob, "?comp=lease", "\ncomp:lease", headers...)
}

func (r *rawLeases) acquire(ctx context.Context, blob, id string, seconds int32) (int, error) {
	return r.lease(ctx, blob, "x-ms-lease-action", "acquire", "x-ms-proposed-lease-id", id,
		"x-ms-lease-duration", strconv.Itoa(int(seconds)))
}

func (r *rawLeases) renew(ctx context.Context, blob, id string) (int, error) {
	return r.lease(ctx, blob, "x-ms-lease-action", "renew", "x-ms-lease-id", id)
}

func (r *rawLeases) release(ctx context.Context, blob, id string) (int, error) {
	return r.lease(ctx, blob, "x-ms-lease-action", "release", "x-ms-lease-id", id)
}

func (r *rawLeases) create(ctx context.Context, blob, leaseName string) error {
	upload := func() (int, error) {
		return r.put(ctx, "/"+containerName+"/"+blob, "", "", "x-ms-blob-type", "BlockBlob", "x-ms-meta-leasename", leaseName,
			"x-ms-meta-createdat", time.Now().UTC().Format(isoMillis))
	}
	makeContainer := func() (int, error) {
		return r.put(ctx, "/"+containerName, "?restype=container", "\nrestype:container")
	}
	return createWith(upload, makeContainer)
}
