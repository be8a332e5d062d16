#include "fiber.hpp"

#include <fulmar/base/assert.hpp>

#include <sys/mman.h>

#include <cstdint>
#include <utility>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace fulmar::sim {

namespace {

constexpr std::size_t stack_bytes = 512 * 1024;

#ifdef __SANITIZE_ADDRESS__
void begin_switch(void** fake, const void* stack, std::size_t bytes) {
    __sanitizer_start_switch_fiber(fake, stack, bytes);
}
void end_switch(void* fake, const void** stack, std::size_t* bytes) {
    __sanitizer_finish_switch_fiber(fake, stack, bytes);
}
void forget_frames(const std::byte* stack) { __asan_unpoison_memory_region(stack, stack_bytes); }
#else
void begin_switch(void**, const void*, std::size_t) {}
void end_switch(void*, const void**, std::size_t*) {}
void forget_frames(const std::byte*) {}
#endif

#ifdef __SANITIZE_THREAD__
void* make_thread() { return __tsan_create_fiber(0); }
void end_thread(void* thread) { __tsan_destroy_fiber(thread); }
void* this_thread() { return __tsan_get_current_fiber(); }
void switch_thread(void* to) { __tsan_switch_to_fiber(to, 0); }
#else
void* make_thread() { return nullptr; }
void end_thread(void*) {}
void* this_thread() { return nullptr; }
void switch_thread(void*) {}
#endif

// Jobs are many and short.
std::vector<std::byte*> spare_stacks;

std::byte* take_stack() {
    if (spare_stacks.empty()) {
        void* const fresh = ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        FULMAR_ASSERT(fresh != MAP_FAILED);
        return static_cast<std::byte*>(fresh);
    }
    std::byte* const stack = spare_stacks.back();
    spare_stacks.pop_back();
    return stack;
}

void give_back(std::byte* stack) {
    forget_frames(stack);
    spare_stacks.push_back(stack);
}

}  // namespace

fiber::fiber(std::function<void()> body)
    : body_(std::move(body)), stack_(take_stack()), inner_thread_(make_thread()) {
    ::getcontext(&inside_);
    inside_.uc_stack.ss_sp = stack_;
    inside_.uc_stack.ss_size = stack_bytes;
    inside_.uc_link = nullptr;
    // makecontext() passes integers only.
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    ::makecontext(&inside_, reinterpret_cast<void (*)()>(&fiber::enter), 2,
                  static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
}

fiber::~fiber() {
    FULMAR_ASSERT(ended_ || !begun_);
    end_thread(inner_thread_);
    give_back(stack_);
}

void fiber::resume() {
    FULMAR_ASSERT(!ended_);
    begun_ = true;
    void* fake = nullptr;
    outer_thread_ = this_thread();
    begin_switch(&fake, stack_, stack_bytes);
    switch_thread(inner_thread_);
    ::swapcontext(&outside_, &inside_);
    end_switch(fake, nullptr, nullptr);
}

void fiber::stop() {
    void* fake = nullptr;
    begin_switch(&fake, outer_stack_, outer_bytes_);
    switch_thread(outer_thread_);
    ::swapcontext(&inside_, &outside_);
    end_switch(fake, &outer_stack_, &outer_bytes_);
}

void fiber::enter(unsigned high, unsigned low) {
    auto& self = *reinterpret_cast<fiber*>(std::uintptr_t{high} << 32 | low);
    end_switch(nullptr, &self.outer_stack_, &self.outer_bytes_);
    self.body_();
    self.leave();
}

// For good: its stack is not needed any more.
void fiber::leave() {
    ended_ = true;
    begin_switch(nullptr, outer_stack_, outer_bytes_);
    switch_thread(outer_thread_);
    ::setcontext(&outside_);
}

}  // namespace fulmar::sim
