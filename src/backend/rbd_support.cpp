// Whether this build has librbd; where it has none, what it says in place of src/backend/rbd.
#include <fulmar/backend/rbd_device.hpp>

namespace fulmar::backend {

#ifdef FULMAR_RBD

bool knows_rbd() noexcept { return true; }

#else

bool knows_rbd() noexcept { return false; }

result<std::unique_ptr<device>> make_rbd_device(const rbd_options&, const rbd_environment&) {
    return fail(errc::not_supported, "this fulmard was built without librbd", "/type",
                "build it where librbd-dev is installed");
}

#endif

}  // namespace fulmar::backend
