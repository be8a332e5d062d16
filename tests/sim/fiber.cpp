#include "fiber.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/sanitizer.hpp>

#include <boost/context/fiber.hpp>
#include <boost/context/preallocated.hpp>
#include <boost/context/stack_context.hpp>
#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#if FULMAR_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if FULMAR_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace fulmar::sim {

namespace {

namespace context = boost::context;

constexpr std::size_t stack_bytes = 512 * 1024;

/// Whose stacks are never given back.
struct kept_stack {
    static void deallocate(context::stack_context&) noexcept {}
};

#if FULMAR_ASAN
void begin_switch(void** fake, const void* stack, std::size_t bytes) {
    __sanitizer_start_switch_fiber(fake, stack, bytes);
}
void end_switch(void* fake, const void** stack, std::size_t* bytes) {
    __sanitizer_finish_switch_fiber(fake, stack, bytes);
}
#else
void begin_switch(void**, const void*, std::size_t) {}
void end_switch(void*, const void**, std::size_t*) {}
#endif

#if FULMAR_TSAN
void* make_thread() { return __tsan_create_fiber(0); }
void* this_thread() { return __tsan_get_current_fiber(); }
void switch_thread(void* to) { __tsan_switch_to_fiber(to, 0); }
#else
void* make_thread() { return nullptr; }
void* this_thread() { return nullptr; }
void switch_thread(void*) {}
#endif

}  // namespace

// Runs one fiber after the other, for as long as the process lives: jobs are many and short, and
// what the thread sanitizer keeps of a stack is dear to make. Not with swapcontext(), which makes
// a system call, and under the address sanitizer three more for the shadow of the stack.
struct fiber_stack {
    fiber* running = nullptr;
    context::fiber inside;
    context::fiber outside;
    std::byte* memory = nullptr;
    // For the sanitizers.
    const void* outer_stack = nullptr;
    std::size_t outer_bytes = 0;
    void* inner_thread = nullptr;
    void* outer_thread = nullptr;

    fiber_stack() {
        void* const fresh = ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        FULMAR_ASSERT(fresh != MAP_FAILED);
        memory = static_cast<std::byte*>(fresh);
        inner_thread = make_thread();
        context::stack_context where;
        where.sp = memory + stack_bytes;
        where.size = stack_bytes;
        inside =
            context::fiber(std::allocator_arg, context::preallocated(where.sp, where.size, where),
                           kept_stack{}, [this](context::fiber&& caller) {
                               outside = std::move(caller);
                               run();
                               return std::move(outside);
                           });
    }

    void enter() {
        void* fake = nullptr;
        outer_thread = this_thread();
        begin_switch(&fake, memory, stack_bytes);
        switch_thread(inner_thread);
        inside = std::move(inside).resume();
        end_switch(fake, nullptr, nullptr);
    }
    void leave() {
        void* fake = nullptr;
        begin_switch(&fake, outer_stack, outer_bytes);
        switch_thread(outer_thread);
        outside = std::move(outside).resume();
        end_switch(fake, &outer_stack, &outer_bytes);
    }
    [[noreturn]] void run() {
        end_switch(nullptr, &outer_stack, &outer_bytes);
        for (;;) {
            running->body_();
            running->ended_ = true;
            leave();
        }
    }
};

namespace {
// Never destroyed, since a context that has not ended would be unwound.
std::vector<std::unique_ptr<fiber_stack>>& all_stacks() {
    static auto* const all = new std::vector<std::unique_ptr<fiber_stack>>;
    return *all;
}
std::vector<fiber_stack*> spare_stacks;

fiber_stack* take_stack() {
    if (spare_stacks.empty()) {
        all_stacks().push_back(std::make_unique<fiber_stack>());
        return all_stacks().back().get();
    }
    fiber_stack* const stack = spare_stacks.back();
    spare_stacks.pop_back();
    return stack;
}
}  // namespace

fiber::fiber(std::function<void()> body) : body_(std::move(body)), stack_(take_stack()) {}

fiber::~fiber() {
    FULMAR_ASSERT(ended_ || !begun_);
    spare_stacks.push_back(stack_);
}

void fiber::resume() {
    FULMAR_ASSERT(!ended_);
    begun_ = true;
    stack_->running = this;
    stack_->enter();
}

void fiber::stop() { stack_->leave(); }

}  // namespace fulmar::sim
