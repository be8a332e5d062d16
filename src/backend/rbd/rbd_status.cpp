#include "rbd_status.hpp"

#include "file/file_status.hpp"

#include <cerrno>

namespace fulmar::backend::rbd {

image_loss loss_of(int error, io_kind kind) noexcept {
    switch (error) {
        case ESHUTDOWN: return image_loss::fenced;
        case ENOENT: return image_loss::gone;
        case ETIMEDOUT: return image_loss::timed_out;
        // Of an image that was opened to be written: librbd may not take the lock again by itself.
        case EROFS:
        case EPERM:
        case EACCES:
            return kind == io_kind::read || kind == io_kind::compare || kind == io_kind::verify
                       ? image_loss::none
                       : image_loss::lock_lost;
        default: return image_loss::none;
    }
}

nvme::status rbd_status(int error, io_kind kind) noexcept {
    return loss_of(error, kind) != image_loss::none ? device_gone : status_of(error, kind);
}

}  // namespace fulmar::backend::rbd
