package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-pipeline-go/pipeline"
	"github.com/Azure/azure-storage-blob-go/azblob"
)

// sdkLeases is the official SDK as Debian has it, on our own HTTP client and without its log of
// requests.
type sdkLeases struct {
	container azblob.ContainerURL
}

func newSDKLeases(acct account, client *http.Client) (*sdkLeases, error) {
	credential, err := azblob.NewSharedKeyCredential(acct.name, base64.StdEncoding.EncodeToString(acct.key))
	if err != nil {
		return nil, err
	}
	endpoint, err := url.Parse(acct.blobEndpoint)
	if err != nil {
		return nil, err
	}
	sender := pipeline.FactoryFunc(func(pipeline.Policy, *pipeline.PolicyOptions) pipeline.PolicyFunc {
		return func(ctx context.Context, request pipeline.Request) (pipeline.Response, error) {
			resp, err := client.Do(request.WithContext(ctx))
			if err != nil {
				err = pipeline.NewError(err, "HTTP request failed")
			}
			return pipeline.NewHTTPResponse(resp), err
		}
	})
	p := azblob.NewPipeline(credential, azblob.PipelineOptions{
		HTTPSender: sender,
		RequestLog: azblob.RequestLogOptions{SyslogDisabled: true},
	})
	return &sdkLeases{azblob.NewServiceURL(*endpoint, p).NewContainerURL(containerName)}, nil
}

// statusOf is an answer's status, whether the SDK takes it for an error or not.
func statusOf(resp pipeline.Response, err error) (int, error) {
	var failure azblob.StorageError
	if errors.As(err, &failure) && failure.Response() != nil {
		return failure.Response().StatusCode, nil
	}
	if err != nil {
		return 0, err
	}
	return resp.Response().StatusCode, nil
}

func (s *sdkLeases) acquire(ctx context.Context, blob, id string, seconds int32) (int, error) {
	resp, err := s.container.NewBlobURL(blob).AcquireLease(ctx, id, seconds, azblob.ModifiedAccessConditions{})
	if err != nil {
		return statusOf(nil, err)
	}
	return resp.StatusCode(), nil
}

func (s *sdkLeases) renew(ctx context.Context, blob, id string) (int, error) {
	resp, err := s.container.NewBlobURL(blob).RenewLease(ctx, id, azblob.ModifiedAccessConditions{})
	if err != nil {
		return statusOf(nil, err)
	}
	return resp.StatusCode(), nil
}

func (s *sdkLeases) release(ctx context.Context, blob, id string) (int, error) {
	resp, err := s.container.NewBlobURL(blob).ReleaseLease(ctx, id, azblob.ModifiedAccessConditions{})
	if err != nil {
		return statusOf(nil, err)
	}
	return resp.StatusCode(), nil
}

func (s *sdkLeases) create(ctx context.Context, blob, leaseName string) error {
	upload := func() (int, error) {
		metadata := azblob.Metadata{"leaseName": leaseName, "createdAt": time.Now().UTC().Format(isoMillis)}
		resp, err := s.container.NewBlockBlobURL(blob).Upload(ctx, bytes.NewReader(nil), azblob.BlobHTTPHeaders{}, metadata,
			azblob.BlobAccessConditions{}, azblob.DefaultAccessTier, nil, azblob.ClientProvidedKeyOptions{},
			azblob.ImmutabilityPolicyOptions{})
		if err != nil {
			return statusOf(nil, err)
		}
		return resp.StatusCode(), nil
	}
	makeContainer := func() (int, error) {
		resp, err := s.container.Create(ctx, nil, azblob.PublicAccessNone)
		if err != nil {
			return statusOf(nil, err)
		}
		return resp.StatusCode(), nil
	}
	return createWith(upload, makeContainer)
}

// createWith makes the container where it is missing. A blob that somebody else has made and leased
// is as good.
func createWith(upload, makeContainer func() (int, error)) error {
	status, err := upload()
	if err == nil && status == http.StatusNotFound {
		if status, err = makeContainer(); err != nil {
			return err
		}
		status, err = upload()
	}
	if err != nil || status == http.StatusConflict || status == http.StatusPreconditionFailed {
		return err
	}
	return statusError("making a lease's blob", status)
}
